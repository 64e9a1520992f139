internal import HTTPTypes

/// The part of a URI after the question mark, decoded strictly.
struct RequestQuery {
    private(set) var pairs: [(name: String, value: String)] = []

    /// Throws `APIProblem`.
    init(_ query: String?) throws(APIProblem) {
        for pair in (query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Self.decoded(parts[0])
            guard !name.isEmpty else {
                throw APIProblem(.badRequest, "invalid_query", "the query holds a parameter without a name")
            }
            guard !pairs.contains(where: { $0.name == name }) else {
                throw APIProblem(.badRequest, "duplicate_parameter", "\(name) is given more than once")
            }
            pairs.append((name, parts.count > 1 ? try Self.decoded(parts[1]) : ""))
        }
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
