/// Writes the few JSON texts of the intake's answers, without a tree.
struct JSONText {
    private(set) var bytes: [UInt8] = []

    init() {}

    init(_ raw: StaticString) {
        append(raw: raw)
    }

    mutating func append(raw: StaticString) {
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: raw.utf8Start, count: raw.utf8CodeUnitCount))
    }

    mutating func append(raw other: JSONText) {
        bytes.append(contentsOf: other.bytes)
    }

    mutating func append(_ number: some BinaryInteger) {
        bytes.append(contentsOf: String(number).utf8)
    }

    /// A quoted and escaped string. NUL is left out: PostgreSQL can't hold it.
    mutating func append(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case 0: break
            case UInt8(ascii: "\""): append(raw: "\\\"")
            case UInt8(ascii: "\\"): append(raw: "\\\\")
            case UInt8(ascii: "\n"): append(raw: "\\n")
            case UInt8(ascii: "\r"): append(raw: "\\r")
            case UInt8(ascii: "\t"): append(raw: "\\t")
            case 0..<0x20:
                append(raw: "\\u00")
                bytes.append(byte < 0x10 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
                bytes.append(contentsOf: String(byte & 0xF, radix: 16).utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// `{"code":…,"message":…}`
    mutating func append(code: String, message: String) {
        append(raw: "{\"code\":")
        append(code)
        append(raw: ",\"message\":")
        append(message)
        append(raw: "}")
    }
}
