internal import NIOHTTP1

/// The header fields that the intake looks at, taken in one pass: each look by name would walk over all of them.
struct HTTPRequestFields {
    private(set) var hosts = 0
    private(set) var contentLengths: [String] = []
    private(set) var transferEncodings: [String] = []
    private(set) var contentEncodings: [String] = []
    private(set) var contentType: String?
    private(set) var expect: String?

    init(_ headers: HTTPHeaders) {
        for (name, value) in headers {
            // The length leaves one candidate.
            switch name.utf8.count {
            case 4 where Self.isEqual(name, "host"): hosts += 1
            case 6 where Self.isEqual(name, "expect"): expect = expect ?? value
            case 12 where Self.isEqual(name, "content-type"): contentType = contentType ?? value
            case 14 where Self.isEqual(name, "content-length"): contentLengths.append(value)
            case 16 where Self.isEqual(name, "content-encoding"): contentEncodings.append(value)
            case 17 where Self.isEqual(name, "transfer-encoding"): transferEncodings.append(value)
            default: continue
            }
        }
    }

    /// Compares a field's name, a token of ASCII, with one in lower case of the same length.
    private static func isEqual(_ name: String, _ lowercased: StaticString) -> Bool {
        var position = 0
        for byte in name.utf8 {
            let wanted = lowercased.utf8Start[position]
            // Bit 5 tells the cases of a letter apart; '-' has it anyway.
            guard byte | 0x20 == wanted else { return false }
            position += 1
        }
        return true
    }
}
