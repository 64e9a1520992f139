/// Cuts what the daemon sends into lines.
struct AnswerLines {
    /// An answer is short; a longer one is not Millrace's.
    static let lineBytesMax = 64 << 10

    private var bytes: [UInt8] = []
    private var head = 0

    /// True when more came than any answer has.
    var isOverfull: Bool { bytes.count - head > Self.lineBytesMax }

    /// Takes what was received.
    mutating func append(_ received: some Sequence<UInt8>) {
        bytes.removeSubrange(..<head)
        head = 0
        bytes.append(contentsOf: received)
    }

    /// The next whole line without its end; nil until more is received.
    mutating func next() -> ArraySlice<UInt8>? {
        guard let end = bytes[head...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        defer { head = end + 1 }
        return bytes[head..<end]
    }
}
