/// What the text of a value has to be before PostgreSQL casts it to the type of its column. Plain bits: a step without
/// rules costs a row one comparison.
struct ValueRules: OptionSet {
    let rawValue: UInt8

    /// Not `now` and the like: the value would depend on when the row arrives.
    static let lasting = ValueRules(rawValue: 1)
    /// Neither NaN nor infinite: what is added up or counted has to be taken off again, and NaN - NaN is NaN.
    static let finite = ValueRules(rawValue: 2)
    /// Of a column of whole numbers: `7.0` is 7.
    static let whole = ValueRules(rawValue: 4)

    enum Verdict {
        /// So many bytes of the text are the value.
        case taken(Int)
        case relativeTime
        case notFinite
    }

    /// Of a value of `column`; `isCounted`: it is part of a key, or is added up or counted by.
    init(of column: CatalogTable.Column?, isCounted: Bool) {
        var rules: ValueRules = []
        if let column {
            if column.isTime { rules.insert(.lasting) }
            if isCounted, column.mayBeInfinite { rules.insert(.finite) }
            if column.isWhole { rules.insert(.whole) }
        }
        self = rules
    }

    init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    func verdict(on text: inout String) -> Verdict {
        text.withUTF8 { verdict(on: UnsafeRawBufferPointer($0)) }
    }

    func verdict(on text: UnsafeRawBufferPointer) -> Verdict {
        if contains(.lasting), Self.isRelativeTime(text) { return .relativeTime }
        if contains(.finite), Self.isNotFinite(text) { return .notFinite }
        return .taken(contains(.whole) ? Self.wholeLength(of: text) : text.count)
    }

    /// PostgreSQL reads these words as times from its clock.
    private static func isRelativeTime(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.contains(where: { $0 | 0x20 == UInt8(ascii: "o") }) else { return false }
        let lowered = String(decoding: text, as: UTF8.self).lowercased()
        return ["now", "today", "tomorrow", "yesterday"].contains { lowered.contains($0) }
    }

    /// Numbers are `NaN`, `inf` or `Infinity` in any case, with a sign and blanks around them; libc's `nan(…)` is one for a
    /// double too. Times and intervals have the word `infinity` somewhere.
    private static func isNotFinite(_ text: UnsafeRawBufferPointer) -> Bool {
        guard let first = text.first, first > UInt8(ascii: "9") || first < UInt8(ascii: "0"),
            text.contains(where: { $0 | 0x20 == UInt8(ascii: "n") })
        else { return false }
        let lowered = String(decoding: text, as: UTF8.self).lowercased()
        let word = lowered.drop { $0.isWhitespace || $0 == "+" || $0 == "-" }
        return word.hasPrefix("nan") || word.hasPrefix("inf") || lowered.contains("infinity")
    }

    /// Without the point and the zeros behind it, where that is all there is behind it.
    private static func wholeLength(of text: UnsafeRawBufferPointer) -> Int {
        guard let point = text.firstIndex(of: UInt8(ascii: ".")), point + 1 < text.count else { return text.count }
        let digits = text[..<point].first.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") ? 1 : 0 } ?? 0
        let isWhole =
            digits < point
            && text[digits..<point].allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
            && text[(point + 1)...].allSatisfy { $0 == UInt8(ascii: "0") }
        return isWhole ? point : text.count
    }
}
