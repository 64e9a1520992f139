/// Builds a JSON text piece by piece, members in the order they are written.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(raw text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func append(raw text: some Collection<UInt8>) {
        bytes.append(contentsOf: text)
    }

    mutating func append(_ number: Int) {
        bytes.append(contentsOf: String(number).utf8)
    }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(string: UnsafeRawBufferPointer($0)) }
    }

    /// A string or null.
    mutating func append(_ text: String?) {
        if let text { append(text) } else { append(raw: "null") }
    }

    /// `,"name":`, without the comma behind an opening bracket.
    mutating func append(name: String) {
        separate()
        append(name)
        bytes.append(UInt8(ascii: ":"))
    }

    /// A comma unless the element is the first.
    mutating func separate() {
        guard let last = bytes.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") else { return }
        bytes.append(UInt8(ascii: ","))
    }

    /// A string of UTF-8, escaped as RFC 8259 wants at least.
    mutating func append(string: UnsafeRawBufferPointer) {
        bytes.append(UInt8(ascii: "\""))
        var start = 0
        for (index, byte) in string.enumerated() where byte < 0x20 || byte == 0x22 || byte == 0x5C {
            bytes.append(contentsOf: string[start..<index])
            start = index + 1
            switch byte {
            case 0x22: append(raw: "\\\"")
            case 0x5C: append(raw: "\\\\")
            case 0x0A: append(raw: "\\n")
            case 0x0D: append(raw: "\\r")
            case 0x09: append(raw: "\\t")
            default: bytes.append(contentsOf: "\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
            }
        }
        bytes.append(contentsOf: string[start...])
        bytes.append(UInt8(ascii: "\""))
    }
}
