internal import FoundationEssentials
internal import MillraceClient
internal import MillraceConsole

/// Reads the answers to `POST /v1/events` on one connection: as much of HTTP/1.1 as a daemon of ours speaks. The usual
/// answer (all accepted) takes no memory.
struct HTTPAnswerReader {
    private struct Body: Decodable {
        struct Rejection: Decodable {
            var error: ServerMessage.Failure?
        }

        var accepted: Int?
        var rejected: [Rejection]?
        var error: ServerMessage.Failure?
    }

    private static let answerBytesMax = 16 << 20
    private static let headEnd = Array("\r\n\r\n".utf8)
    private static let lengthName = Array("content-length:".utf8)
    private static let acceptedName = Array("{\"accepted\":".utf8)

    /// Lines of a request.
    private let batch: Int
    private var carry: [UInt8] = []

    init(batch: Int) {
        self.batch = batch
    }

    /// Gives an answer for every whole one that came.
    mutating func read(_ bytes: UnsafeRawBufferPointer, _ body: (LoadAnswer) -> Void) {
        guard carry.isEmpty else {
            carry += bytes
            let taken = carry.withUnsafeBytes { parse($0, body) }
            carry.removeFirst(taken)
            if carry.count > Self.answerBytesMax { body(.ended(reason: "its answer has no end")) }
            return
        }
        let taken = parse(bytes, body)
        if taken < bytes.count { carry += UnsafeRawBufferPointer(rebasing: bytes[taken...]) }
    }

    /// Returns how many bytes whole answers took.
    private func parse(_ bytes: UnsafeRawBufferPointer, _ body: (LoadAnswer) -> Void) -> Int {
        var taken = 0
        while taken < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            guard let headBytes = Self.headBytes(rest) else { break }
            let head = UnsafeRawBufferPointer(rebasing: rest[..<headBytes])
            guard let status = Self.status(head), let length = Self.length(head) else {
                body(.ended(reason: "it sent an answer that is no HTTP/1.1 with a Content-Length"))
                return bytes.count
            }
            guard rest.count >= headBytes + length else { break }
            body(answer(status, UnsafeRawBufferPointer(rebasing: rest[headBytes..<headBytes + length])))
            taken += headBytes + length
        }
        return taken
    }

    private func answer(_ status: Int, _ bytes: UnsafeRawBufferPointer) -> LoadAnswer {
        let isTaken = status == 200 || status == 202
        if isTaken, Self.accepted(bytes) == batch { return .answered(accepted: batch, reason: nil) }
        let body = try? JSONDecoder().decode(Body.self, from: Data(bytes))
        let error = body?.error ?? body?.rejected?.first?.error
        let reason = error.map { "\($0.code): \($0.message)" } ?? "status \(status)"
        // 400 with `accepted` is an answer about the items; others are about the request.
        guard let accepted = body?.accepted, isTaken || status == 400 else { return .failed(reason: reason) }
        return .answered(accepted: accepted, reason: accepted == batch ? nil : reason)
    }

    /// Up to the end of the empty line; nil when that has not come.
    private static func headBytes(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 0...bytes.count - 4 where bytes[index] == 13 {
            if bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10 { return index + 4 }
        }
        return nil
    }

    /// The status in `HTTP/1.1 202 …`.
    private static func status(_ head: UnsafeRawBufferPointer) -> Int? {
        guard head.starts(with: Array("HTTP/1.1 ".utf8)) else { return nil }
        return number(head, from: 9).flatMap { (100...599).contains($0) ? $0 : nil }
    }

    private static func length(_ head: UnsafeRawBufferPointer) -> Int? {
        var start = 0
        for index in 0..<head.count where head[index] == 10 {
            start = index + 1
            guard head.count - start > lengthName.count else { return nil }
            var isName = true
            for offset in 0..<lengthName.count where isName {
                let byte = head[start + offset]
                isName = (byte >= 65 && byte <= 90 ? byte | 0x20 : byte) == lengthName[offset]
            }
            guard isName else { continue }
            start += lengthName.count
            while start < head.count, head[start] == 32 { start += 1 }
            return number(head, from: start)
        }
        return nil
    }

    private static func accepted(_ body: UnsafeRawBufferPointer) -> Int? {
        body.starts(with: acceptedName) ? number(body, from: acceptedName.count) : nil
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var value = 0
        var index = start
        while index < bytes.count, index - start < 12, bytes[index] >= 48, bytes[index] <= 57 {
            value = value * 10 + Int(bytes[index] - 48)
            index += 1
        }
        return index > start ? value : nil
    }
}
