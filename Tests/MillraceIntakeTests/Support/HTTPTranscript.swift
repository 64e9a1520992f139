@testable import MillraceIntake
import Logging
import MillraceChannels
import MillraceEvent
import MillraceTelemetry
import NIOCore
import NIOEmbedded
import NIOExtras
import NIOHTTP1

/// A connection of the HTTP intake without a socket: what comes, when it comes and how the spool answers is told, one
/// step after the other, and each step has happened when its call returns.
final class HTTPTranscript {
    let shared: HTTPIntakeShared
    let socket = TranscriptSocket()
    private let channel: NIOAsyncTestingChannel
    private var submissions: [Submission] = []

    /// `beside`: another connection of the same intake.
    init(
        beside other: HTTPTranscript? = nil, _ configure: (inout HTTPIntakeConfiguration) -> Void = { _ in }
    ) async throws {
        var configuration = HTTPIntakeConfiguration()
        configure(&configuration)
        let shared =
            other?.shared
            ?? HTTPIntakeShared(
                configuration: Live(configuration), channel: RecordChannel(bytesMax: 1 << 20), metrics: IntakeMetrics(),
                logger: quiet,
                attachRoutes: { channel, _ in try channel.pipeline.syncOperations.addHandler(TranscriptRoutes()) })
        self.shared = shared
        let socket = socket
        channel = try await NIOAsyncTestingChannel { channel in
            try channel.pipeline.syncOperations.addHandler(socket)
            try HTTPIntakeService.setUp(channel, shared, parser: EventParser())
        }
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 8080)
        channel.localAddress = address
        channel.remoteAddress = address
        try await channel.connect(to: address).get()
    }

    // MARK: What happens

    func receive(_ text: String) async throws {
        try await channel.writeInbound(ByteBuffer(string: text))
    }

    func pass(_ duration: Duration) async {
        await channel.testingEventLoop.advanceTime(by: TimeAmount(duration))
    }

    func halfClose() async throws { try await fire(ChannelEvent.inputClosed) }

    func quiesce() async throws { try await fire(ChannelShouldQuiesceEvent()) }

    private func fire(_ event: any Sendable) async throws {
        try await channel.testingEventLoop.executeInContext { [channel] in
            channel.pipeline.fireUserInboundEventTriggered(event)
        }
    }

    /// The peer's socket takes what was written, and from now on what will be; or no longer.
    func takeOutput(_ isTaking: Bool) async throws {
        try await channel.testingEventLoop.executeInContext { [socket] in socket.take(isTaking) }
    }

    /// Asks for one more read. True when it went to the socket.
    func read() async throws -> Bool {
        let before = socket.reads
        try await channel.testingEventLoop.executeInContext { [channel] in channel.pipeline.read() }
        return socket.reads > before
    }

    /// Waits for the next submission.
    func submission() async -> Submission {
        if submissions.isEmpty { submissions = await shared.channel.next() }
        return submissions.removeFirst()
    }

    /// Answers the next submission.
    func settle(_ outcome: (Submission) -> Submission.Outcome = { .durable(0..<UInt64($0.count)) }) async {
        let next = await submission()
        next.reply(outcome(next))
        await run()
    }

    /// Lets what other threads asked for happen.
    func run() async { await channel.testingEventLoop.run() }

    // MARK: What is seen

    /// The statuses of what the peer took since this was asked last.
    func statuses() -> [Int] {
        let text = socket.output()
        return text.ranges(of: "HTTP/1.1 ").compactMap { Int(text[$0.upperBound...].prefix(3)) }
    }

    var isOutputClosed: Bool { socket.isOutputClosed }
    var isClosed: Bool { !channel.isActive }
    var openConnections: Int { shared.metrics[.http].connectionsOpen.value }
}

/// Stands where the socket would be.
final class TranscriptSocket: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    // SAFETY: changed on the event loop; the test looks when nothing happens there.
    private var context: ChannelHandlerContext?
    private var isTaking = true
    private var pending: [UInt8] = []
    private var taken: [UInt8] = []
    private var closing: EventLoopPromise<Void>??
    private(set) var reads = 0
    private(set) var isOutputClosed = false

    func output() -> String {
        defer { taken = [] }
        return String(decoding: taken, as: UTF8.self)
    }

    func take(_ isTaking: Bool) {
        self.isTaking = isTaking
        if let context { flush(context: context) }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .byteBuffer(let buffer) = unwrapOutboundIn(data) { pending += Array(buffer.readableBytesView) }
        context.write(data, promise: promise)
    }

    func flush(context: ChannelHandlerContext) {
        guard isTaking else { return }
        taken += pending
        pending = []
        context.flush()
        guard let closing else { return }
        self.closing = nil
        isOutputClosed = true
        closing?.succeed()
    }

    func read(context: ChannelHandlerContext) {
        reads += 1
        context.read()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode == .output else {
            // Not taken, but no promise may be left.
            context.flush()
            return context.close(mode: mode, promise: promise)
        }
        closing = .some(promise)
        flush(context: context)
    }
}

/// Answers each request with 200 and two bytes, once it has come whole; one with the path `/early` by its head.
private final class TranscriptRoutes: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var isEarly = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            isEarly = head.uri == "/early"
            if isEarly { answer(context) }
        case .body: break
        case .end: if !isEarly { answer(context) }
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: ["Content-Length": "2"])
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "ok")))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}

/// A request as it comes over the wire.
func request(
    _ method: String = "POST", _ path: String = "/v1/events", _ fields: [String] = [], body: String = ""
) -> String {
    let lines = ["\(method) \(path) HTTP/1.1", "Host: localhost", "Content-Length: \(body.utf8.count)"] + fields
    return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
}
