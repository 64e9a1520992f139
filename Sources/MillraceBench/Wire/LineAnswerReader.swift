internal import MillraceClient
internal import MillraceConsole

/// Reads the daemon's side of a TCP connection that asked for acks. Takes no memory for acks.
struct LineAnswerReader {
    private static let lineBytesMax = 64 << 10
    private static let ackPrefix = Array("{\"ack\":".utf8)

    /// The beginning of a line whose end has not come.
    private var carry: [UInt8] = []

    /// Gives an answer for every whole line.
    mutating func read(_ bytes: UnsafeRawBufferPointer, _ body: (LoadAnswer) -> Void) {
        var start = 0
        for index in 0..<bytes.count where bytes[index] == UInt8(ascii: "\n") {
            let line = UnsafeRawBufferPointer(rebasing: bytes[start..<index])
            if carry.isEmpty {
                if let answer = Self.answer(line) { body(answer) }
            } else {
                carry += line
                if let answer = carry.withUnsafeBytes({ Self.answer($0) }) { body(answer) }
                carry.removeAll(keepingCapacity: true)
            }
            start = index + 1
        }
        if start < bytes.count { carry += UnsafeRawBufferPointer(rebasing: bytes[start...]) }
        if carry.count > Self.lineBytesMax { body(.ended(reason: "it sent a line without an end")) }
    }

    /// Nil for what answers nothing: the line that says that the rate holds the connection back.
    private static func answer(_ line: UnsafeRawBufferPointer) -> LoadAnswer? {
        if let count = ack(line) { return .acknowledged(lines: count) }
        guard let message = ServerMessage(line: Array(line)) else {
            return .ended(reason: "it sent a line that is no answer of Millrace")
        }
        if message.hello?.server == "millrace" { return .greeted }
        if let report = message.parked ?? message.deadLetter { return .reported(reason: report.message) }
        if message.limited != nil { return nil }
        if message.lines != nil { return .reported(reason: "not all lines went in") }
        guard let error = message.error else { return .ended(reason: "it sent an answer of an unknown kind") }
        let reason = "\(error.code): \(error.message)"
        return message.line.map { .refused(number: $0, reason: reason) } ?? .ended(reason: reason)
    }

    /// nil when it is no ack.
    private static func ack(_ line: UnsafeRawBufferPointer) -> Int? {
        guard line.count > ackPrefix.count + 1, line.count < ackPrefix.count + 19,
            line.last == UInt8(ascii: "}"), line.starts(with: ackPrefix)
        else { return nil }
        var count = 0
        for index in ackPrefix.count..<line.count - 1 {
            let digit = line[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            count = count * 10 + Int(digit)
        }
        return count
    }
}
