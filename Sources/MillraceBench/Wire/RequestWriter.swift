internal import MillraceChannels
internal import MillraceConsole
internal import MillraceEvent

/// Puts lines of templates into the form in which they go out: as they are, or as the body of a request.
struct RequestWriter {
    /// After a head's fixed part: the length's digits and the empty line.
    private static let headTailBytes = 12 + 4
    /// Bytes that go out in one go over TCP, about.
    private static let chunkBytes = 128 << 10
    /// A request's body at most.
    static let bodyBytesMax = 64 << 20

    private let templates: EventTemplates
    /// A request's head up to the digits of its length; empty for TCP.
    private let head: [UInt8]
    private let isSingle: Bool
    private let headRoom: Int
    private var clock: EventClock
    private let memory: RawBuffer
    /// Lines of one grant at most over TCP.
    let linesMax: Int

    /// `authorization`: a head's field with its line ending, or nothing.
    init(
        plan: LoadPlan, endpoint: Endpoint, authorization: String = "", templates: EventTemplates, at now: Timestamp
    ) throws(CommandError) {
        self.templates = templates
        clock = EventClock(at: now)
        let lineBytes = templates.lineBytesMax
        guard lineBytes * plan.batch <= Self.bodyBytesMax else {
            throw CommandError(
                "\(plan.batch) lines of up to \(Format.bytes(lineBytes)) are more than a batch can hold",
                hint: "Give a smaller --batch")
        }
        linesMax = max(plan.batch, Self.chunkBytes / lineBytes)
        switch plan.wire {
        case .tcp:
            head = []
            isSingle = false
        case .http:
            let query = plan.acknowledgement == .committed ? "?ack=committed" : ""
            isSingle = plan.batch == 1
            let host = if case .tcp = endpoint { "\(endpoint)" } else { "localhost" }
            head = Array(
                ("POST /v1/events\(query) HTTP/1.1\r\nHost: \(host)\r\n\(authorization)Content-Type: "
                    + (isSingle ? "application/json" : "application/x-ndjson") + "\r\nContent-Length: ").utf8)
        }
        headRoom = head.isEmpty ? 0 : head.count + Self.headTailBytes
        let lines = plan.wire == .tcp ? linesMax : plan.batch
        memory = RawBuffer(byteCount: headRoom + lines * lineBytes)
    }

    /// What goes out for `numbers`; valid until the next call. `lineBytes`: without a head.
    mutating func bytes(
        for numbers: Range<UInt64>, at now: Timestamp
    ) -> (output: UnsafeRawBufferPointer, lineBytes: Int) {
        clock.set(now)
        let buffer = memory.bytes
        let body = UnsafeMutableRawBufferPointer(rebasing: buffer[headRoom...])
        let lineBytes = templates.write(numbers, time: clock.text, into: body)
        guard headRoom > 0 else { return (UnsafeRawBufferPointer(rebasing: body[..<lineBytes]), lineBytes) }
        // One object goes without its line ending.
        let bodyBytes = lineBytes - (isSingle ? 1 : 0)
        var start = headRoom
        for byte in "\r\n\r\n".utf8.reversed() {
            start -= 1
            buffer[start] = byte
        }
        var rest = bodyBytes
        repeat {
            start -= 1
            buffer[start] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        } while rest > 0
        start -= head.count
        UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + head.count]).copyBytes(from: head)
        return (UnsafeRawBufferPointer(rebasing: buffer[start..<headRoom + bodyBytes]), lineBytes)
    }
}

/// Uninitialised memory that is freed with the object. One owner writes to it.
final class RawBuffer {
    // SAFETY: allocated once, freed in deinit; whoever uses it keeps the object.
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 64)
    }

    deinit {
        bytes.deallocate()
    }
}
