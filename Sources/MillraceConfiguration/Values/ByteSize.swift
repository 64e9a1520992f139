/// Sizes in bytes as text: `"64MiB"`.
enum ByteSize {
    private static let units: [(suffix: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    /// Nil when `text` is no whole number followed by `B`, `KiB`, `MiB`, `GiB` or `TiB`, or is beyond `Int`.
    static func parse(_ text: String) -> Int? {
        guard let (number, suffix) = NumberWithUnit.split(text) else { return nil }
        guard let unit = units.first(where: { $0.suffix.lowercased() == suffix.lowercased() }) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.bytes)
        return overflow ? nil : bytes
    }

    /// In the largest unit that divides `bytes`.
    static func format(_ bytes: Int) -> String {
        guard bytes != 0, let unit = units.first(where: { bytes % $0.bytes == 0 }) else { return "\(bytes)B" }
        return "\(bytes / unit.bytes)\(unit.suffix)"
    }
}
