internal import NIOCore

/// Builds a JSON text piece by piece, members in the order they are written. In the buffer that is sent: a page is not
/// copied once more.
struct JSONWriter: Sendable {
    private(set) var buffer = ByteBuffer()

    var byteCount: Int { buffer.readableBytes }
    var bytes: ByteBufferView { buffer.readableBytesView }

    mutating func append(raw text: StaticString) {
        buffer.writeStaticString(text)
    }

    mutating func append(raw text: some Collection<UInt8>) {
        buffer.writeBytes(text)
    }

    mutating func append(_ number: Int) {
        buffer.writeString(String(number))
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
        append(raw: ":")
    }

    /// A comma unless the element is the first.
    mutating func separate() {
        guard let last: UInt8 = buffer.getInteger(at: buffer.writerIndex - 1), last != UInt8(ascii: "{"),
            last != UInt8(ascii: "[")
        else { return }
        append(raw: ",")
    }

    /// A string of UTF-8, escaped as RFC 8259 wants at least.
    mutating func append(string: UnsafeRawBufferPointer) {
        append(raw: "\"")
        var start = 0
        for (index, byte) in string.enumerated() where byte < 0x20 || byte == 0x22 || byte == 0x5C {
            buffer.writeBytes(UnsafeRawBufferPointer(rebasing: string[start..<index]))
            start = index + 1
            switch byte {
            case 0x22: append(raw: "\\\"")
            case 0x5C: append(raw: "\\\\")
            case 0x0A: append(raw: "\\n")
            case 0x0D: append(raw: "\\r")
            case 0x09: append(raw: "\\t")
            default: buffer.writeString("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))")
            }
        }
        buffer.writeBytes(UnsafeRawBufferPointer(rebasing: string[start...]))
        append(raw: "\"")
    }
}
