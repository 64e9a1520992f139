internal import FoundationEssentials
internal import Glibc

/// Follows one of the daemon's streams, and comes back when the connection ends: the shell around `StreamedAnswer` and
/// `EventStreamParser`. One thread, one `poll`.
package struct EventStreamSession {
    package enum Step {
        /// The stream has begun, again or for the first time.
        case connected
        case message(EventStreamParser.Message)
        /// It ended for this reason; it is tried again after a while.
        case lost(CommandError)
        /// Time has passed, or there is input.
        case idle
    }

    private struct Refusal: Decodable {
        struct Problem: Decodable {
            var code: String
            var message: String
        }

        var error: Problem
    }

    private static let connectTimeout = Duration.seconds(5)
    /// The answer's head comes at once, but for what it begins with, which is read from the database.
    private static let headTimeout = Duration.seconds(30)
    /// A stream without a word for as long is dead: a daemon says at least something every `live.heartbeat`.
    private static let silenceMax = Duration.seconds(60)
    /// Between two looks while nothing comes.
    private static let tick = Duration.milliseconds(200)
    private static let retryDefault = Duration.seconds(2)
    private static let retryMax = Duration.seconds(30)
    /// Of an error's body.
    private static let refusalBytesMax = 64 << 10

    private let destination: Destination
    private let path: String
    /// Further descriptors to look at: input is told as `idle`.
    private let input: Int32
    private var lastID = ""
    private var retry = Self.retryDefault
    private var hasBegun = false

    /// `path`: with its query. `input`: a descriptor whose readiness ends a wait; -1: none.
    package init(_ destination: Destination, path: String, input: Int32 = -1) {
        self.destination = destination
        self.path = path
        self.input = input
    }

    /// Calls `body` with each step until it returns false. Blocks. Throws what can't be healed by trying again, and whatever
    /// keeps the stream from beginning the first time.
    package mutating func run(_ body: (Step) throws(CommandError) -> Bool) throws(CommandError) {
        var failures = 0
        while true {
            do throws(CommandError) {
                guard try follow(body, &failures) else { return }
            } catch {
                guard hasBegun, error.isRetryable else { throw error }
                guard try body(.lost(error)) else { return }
            }
            failures += 1
            let wait = min(Self.retryMax, retry * (1 << min(failures - 1, 4)))
            guard try pause(wait, body) else { return }
        }
    }

    /// One connection. Returns false when `body` has had enough.
    private mutating func follow(
        _ body: (Step) throws(CommandError) -> Bool, _ failures: inout Int
    ) throws(CommandError) -> Bool {
        let socket = try ClientSocket(connectingTo: destination, timeout: Self.connectTimeout)
        try send(socket)
        var answer = StreamedAnswer()
        var parser = EventStreamParser(lastID: lastID)
        var refusal: [UInt8] = []
        var heardAt = ContinuousClock.now
        var isOn = false
        // TLS may hold more than was read.
        var mayHaveMore = false
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            if !mayHaveMore { wait(for: socket.descriptor) }
            mayHaveMore = false
            let result = try chunk.withUnsafeMutableBytes { socket.read(into: $0) }.get()
            var messages: [EventStreamParser.Message] = []
            if case .bytes(let count) = result {
                heardAt = .now
                mayHaveMore = !socket.isDrained(by: count, room: chunk.count)
                let bytes = try answer.body(in: chunk[..<count])
                if answer.status == 200 { messages = try parser.messages(in: bytes) } else { refusal += bytes }
            }
            if let status = answer.status, status != 200 {
                guard result == .ended || answer.isEnded || refusal.count > Self.refusalBytesMax else { continue }
                throw failure(status, refusal)
            }
            if answer.status == 200, !isOn {
                (isOn, hasBegun, failures) = (true, true, 0)
                guard try body(.connected) else { return false }
            }
            for message in messages {
                lastID = message.lastID
                guard try body(.message(message)) else { return false }
            }
            lastID = parser.lastID
            if let milliseconds = parser.retry { retry = .milliseconds(min(milliseconds, 30_000)) }
            if result == .ended || answer.isEnded { throw Self.ended }
            if ContinuousClock.now - heardAt > (isOn ? Self.silenceMax : Self.headTimeout) { throw Self.silent }
            if result == .wouldBlock { guard try body(.idle) else { return false } }
        }
    }

    private func send(_ socket: borrowing ClientSocket) throws(CommandError) {
        let last = lastID.isEmpty ? "" : "Last-Event-ID: \(lastID)\r\n"
        let request = Array(
            "GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(destination.authorization)\(last)Accept: text/event-stream\r\n\r\n"
                .utf8)
        // A request this short fits into any socket's buffer.
        _ = try request.withUnsafeBytes { socket.write($0) }.get()
    }

    /// Until there is something to read, or time has passed.
    private func wait(for socket: Int32) {
        var entries = [
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0), pollfd(fd: input, events: Int16(POLLIN), revents: 0),
        ]
        poll(&entries, 2, Self.tick.milliseconds)
    }

    private func pause(
        _ wait: Duration, _ body: (Step) throws(CommandError) -> Bool
    ) throws(CommandError) -> Bool {
        let end = ContinuousClock.now + wait
        while ContinuousClock.now < end {
            guard try body(.idle) else { return false }
            var entry = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
            poll(&entry, 1, min(Self.tick, end - .now).milliseconds)
        }
        return true
    }

    private func failure(_ status: Int, _ body: [UInt8]) -> CommandError {
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(body))
        let reason = refusal?.error.message ?? "no reason given"
        let hint =
            switch status {
            case 401, 403: "Show a key that may read by --key-file or MILLRACE_KEY"
            case 503: "Try again in a while"
            default: "See that the daemon is of this version"
            }
        return CommandError(
            "\(destination) answered \(status): \(reason)", hint: hint, isRetryable: status == 503 || status == 429)
    }

    private static let ended = CommandError(
        "the daemon ended the stream", hint: "See its log for the reason", isRetryable: true)
    private static let silent = CommandError(
        "the daemon has said nothing for too long", hint: "Check whether it still runs", isRetryable: true)
}
