/// Reads one HTTP answer that comes in pieces: its head, then its body without the chunks' frames. A value without I/O.
package struct StreamedAnswer: Sendable {
    private enum Part: Equatable {
        case head
        /// The rest of the connection, or so many bytes.
        case plain(left: Int?)
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case trailers
        case ended
    }

    /// Of the head, and of the line before a chunk.
    private static let headBytesMax = 64 << 10
    private static let sizeBytesMax = 1 << 10

    /// Nil before the head has come.
    package private(set) var status: Int?
    /// By their names in lower case; the last one of each.
    package private(set) var fields: [String: String] = [:]
    private var part = Part.head
    /// Of a line that has not ended, or of the head.
    private var held: [UInt8] = []

    package init() {}

    /// The answer is whole.
    package var isEnded: Bool { part == .ended }

    /// What `bytes` hold of the body. Throws when they are no HTTP answer.
    package mutating func body(in bytes: some Sequence<UInt8>) throws(CommandError) -> [UInt8] {
        var body: [UInt8] = []
        for byte in bytes { try take(byte, &body) }
        return body
    }

    private mutating func take(_ byte: UInt8, _ body: inout [UInt8]) throws(CommandError) {
        switch part {
        case .head:
            held.append(byte)
            if byte == 0x0A, held.suffix(4).elementsEqual("\r\n\r\n".utf8) { try readHead() }
            guard held.count <= Self.headBytesMax else { throw Self.foreign }
        case .plain(left: nil): body.append(byte)
        case .plain(left: let left?):
            body.append(byte)
            part = left > 1 ? .plain(left: left - 1) : .ended
        case .chunkSize:
            held.append(byte)
            guard held.count <= Self.sizeBytesMax else { throw Self.foreign }
            if byte == 0x0A { try readSize() }
        case .chunk(left: let left):
            body.append(byte)
            part = left > 1 ? .chunk(left: left - 1) : .chunkEnd
        case .chunkEnd: if byte == 0x0A { part = .chunkSize }
        case .trailers:
            held.append(byte)
            guard held.count <= Self.headBytesMax else { throw Self.foreign }
            guard byte == 0x0A else { return }
            if held.allSatisfy({ $0 == 0x0D || $0 == 0x0A }) { part = .ended }
            held.removeAll()
        case .ended: break
        }
    }

    private mutating func readHead() throws(CommandError) {
        let text = String(decoding: held, as: UTF8.self)
        held.removeAll()
        guard let match = text.prefixMatch(of: #/HTTP/1\.[01] ([0-9]{3})(?: [^\r\n]*)?\r\n/#),
            let status = Int(match.output.1)
        else { throw Self.foreign }
        // An answer before the answer.
        if status < 200 { return }
        self.status = status
        for line in text[match.range.upperBound...].split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            fields[line[..<colon].lowercased()] = String(value)
        }
        if fields["transfer-encoding"]?.lowercased() == "chunked" {
            part = .chunkSize
        } else if let length = fields["content-length"] {
            guard let count = Int(length), count >= 0 else { throw Self.foreign }
            part = count > 0 ? .plain(left: count) : .ended
        } else {
            part = .plain(left: nil)
        }
    }

    private mutating func readSize() throws(CommandError) {
        let digits = held.prefix { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
            default: false
            }
        }
        guard (1...8).contains(digits.count), let size = Int(String(decoding: digits, as: UTF8.self), radix: 16) else {
            throw Self.foreign
        }
        held.removeAll()
        part = size > 0 ? .chunk(left: size) : .trailers
    }

    private static let foreign = CommandError(
        "this is no HTTP answer of a daemon", hint: "Check --to: it names an address of http.listen")
}
