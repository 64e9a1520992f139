internal import Algorithms

/// The lines read but not yet answered, in order, in one run of bytes that goes to the socket as it stands.
struct LineWindow {
    private struct Line {
        /// The position after its `\n`, counted from the first byte ever appended.
        var end: Int
        /// Where it stood in the input, from 1.
        var number: Int
    }

    private var bytes: [UInt8] = []
    private var lines: [Line] = []
    /// How many of `lines` are answered already and not yet cut off.
    private var head = 0
    /// Position of `bytes[0]`, counted from the first byte ever appended.
    private var base = 0
    /// Position up to which lines are answered.
    private var answeredEnd = 0
    /// Position up to which bytes went to the present connection.
    private var sentEnd = 0

    /// Lines not yet answered.
    var count: Int { lines.count - head }

    /// Bytes of the lines not yet answered.
    var byteCount: Int { base + bytes.count - answeredEnd }

    /// Lines that went out whole on the present connection and are not answered.
    var sentCount: Int { firstIndex(endingAfter: sentEnd) - head }

    var hasUnsent: Bool { sentEnd < base + bytes.count }

    /// `line` without its line ending.
    mutating func append(_ line: some Collection<UInt8>, number: Int) {
        bytes.append(contentsOf: line)
        bytes.append(UInt8(ascii: "\n"))
        lines.append(Line(end: base + bytes.count, number: number))
    }

    /// The input's number of the unanswered line at `index`.
    func number(at index: Int) -> Int { lines[head + index].number }

    /// Gives the bytes that have not gone out; `body` returns how many went.
    mutating func sendUnsent(_ body: (UnsafeRawBufferPointer) -> Int) {
        let start = sentEnd - base
        sentEnd += bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }

    /// The first `count` unanswered lines are answered.
    mutating func answer(_ count: Int) {
        precondition(count <= self.count, "only lines in the window can be answered")
        guard count > 0 else { return }
        head += count
        answeredEnd = lines[head - 1].end
        // Cut only when half of it is answered: each byte is then moved once at most.
        if answeredEnd - base > bytes.count / 2 {
            bytes.removeSubrange(..<(answeredEnd - base))
            base = answeredEnd
            lines.removeSubrange(..<head)
            head = 0
        }
    }

    /// A new connection: everything unanswered goes out again.
    mutating func rewind() {
        sentEnd = answeredEnd
    }

    private func firstIndex(endingAfter position: Int) -> Int {
        lines[head...].partitioningIndex { $0.end > position }
    }
}
