/// `"64MiB"` as 64 and `MiB`.
enum NumberWithUnit {
    /// Nil when `text` doesn't begin with a decimal number that fits `Int`. A blank before the unit is allowed.
    static func split(_ text: String) -> (number: Int, suffix: String)? {
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard let number = Int(String(digits) ?? "") else { return nil }
        let suffix = text.dropFirst(digits.count)
        return (number, String(suffix.first == " " ? suffix.dropFirst() : suffix))
    }
}
