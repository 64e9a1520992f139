internal import HTTPTypes

/// The part of a URI after the question mark, decoded strictly.
struct RequestQuery {
    private(set) var pairs: [ColumnFilter] = []

    /// Throws `APIProblem`.
    init(_ query: String?) throws(APIProblem) {
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value: String? = parts.count > 1 ? try Self.decoded(parts[1]) : nil
            let found = Self.comparison(try Self.decoded(parts[0]), value)
            guard !found.column.isEmpty else {
                throw APIProblem(.badRequest, "invalid_query", "the query holds a parameter without a name")
            }
            // Rows may differ from several values.
            let isRepeated = pairs.contains { $0.column == found.column && $0.comparison == found.comparison }
            guard !isRepeated || found.comparison == .notEqual else {
                throw APIProblem(.badRequest, "duplicate_parameter", "\(found.column) is given more than once")
            }
            pairs.append(found)
        }
    }

    /// `a!=b` comes as the name `a!` and the value `b`, `a>b` as a name alone; whoever encodes all, as `a>=b`, sends that as a
    /// name, too.
    private static func comparison(_ name: String, _ value: String?) -> ColumnFilter {
        let plain = ColumnFilter(column: name, comparison: .equal, value: value ?? "")
        guard let place = name.firstIndex(where: { $0 == "!" || $0 == "<" || $0 == ">" }) else { return plain }
        let column = String(name[..<place])
        var rest = name[name.index(after: place)...]
        let hasEqualSign = rest.isEmpty ? value != nil : rest.first == "="
        guard let comparison = ColumnFilter.Comparison(rawValue: "\(name[place])\(hasEqualSign ? "=" : "")") else {
            return plain
        }
        if rest.isEmpty { return ColumnFilter(column: column, comparison: comparison, value: value ?? "") }
        if hasEqualSign { rest = rest.dropFirst() }
        return ColumnFilter(column: column, comparison: comparison, value: rest + (value.map { "=" + $0 } ?? ""))
    }

    /// Percent-encoded UTF-8; `+` is a blank.
    static func decoded(_ text: some StringProtocol, plusIsBlank: Bool = true) throws(APIProblem) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    throw APIProblem(.badRequest, "invalid_query", "a percent sign needs two hexadecimal digits")
                }
                bytes.append(high << 4 | low)
            case UInt8(ascii: "+") where plusIsBlank: bytes.append(0x20)
            default: bytes.append(byte)
            }
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw APIProblem(.badRequest, "invalid_query", "parameters are UTF-8 without U+0000, percent-encoded")
        }
        return decoded
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
