import Logging
import MillraceChannels
import MillraceEvent
import MillraceTelemetry
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import NIOExtras
import Testing

@testable import MillraceIntake

/// What a client sees of one connection, on a clock that the test moves.
@Suite(.timeLimit(.minutes(10)))
struct TCPIntakeHandlerTests {
    /// Stands for the socket: half-close, and how often it is read.
    private final class Socket: ChannelOutboundHandler, Sendable {
        typealias OutboundIn = ByteBuffer

        struct State {
            var reads = 0
            var isOutputClosed = false
        }

        let state = NIOLockedValueBox(State())

        func read(context: ChannelHandlerContext) {
            state.withLockedValue { $0.reads += 1 }
        }

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            guard mode == .output else { return context.close(mode: mode, promise: promise) }
            state.withLockedValue { $0.isOutputClosed = true }
            promise?.succeed()
        }
    }

    /// A connection whose submissions the test takes from `records` and answers.
    private final class Connection: Sendable {
        let records = RecordChannel(bytesMax: 1 << 20)
        let channel = NIOAsyncTestingChannel()
        let metrics = IntakeMetrics()
        private let socket = Socket()

        init(_ configure: (inout TCPIntakeConfiguration) -> Void = { _ in }) async throws {
            var configuration = TCPIntakeConfiguration()
            configure(&configuration)
            let shared = TCPIntakeShared(
                configuration: Live(configuration), channel: records, metrics: metrics, logger: quiet)
            try await channel.testingEventLoop.executeInContext { [channel, socket] in
                let pipeline = channel.pipeline.syncOperations
                try pipeline.addHandler(socket)
                try pipeline.addHandler(
                    TCPIntakeHandler(shared: shared, eventLoop: channel.eventLoop, remote: nil))
            }
            try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 7171)).get()
        }

        var reads: Int { socket.state.withLockedValue { $0.reads } }
        var isOutputClosed: Bool { socket.state.withLockedValue { $0.isOutputClosed } }
        var isOpen: Bool { channel.isActive }

        func receives(_ text: String) async throws {
            try await channel.writeInbound(ByteBuffer(string: text))
        }

        func happens(_ event: any Sendable) async throws {
            try await channel.testingEventLoop.executeInContext { [channel] in
                channel.pipeline.fireUserInboundEventTriggered(event)
            }
        }

        func asksToRead() async throws {
            try await channel.testingEventLoop.executeInContext { [channel] in channel.pipeline.read() }
        }

        func setWritable(_ isWritable: Bool) async throws {
            channel.isWritable = isWritable
            try await channel.testingEventLoop.executeInContext { [channel] in
                channel.pipeline.fireChannelWritabilityChanged()
            }
        }

        func passes(_ time: TimeAmount) async { await channel.testingEventLoop.advanceTime(by: time) }

        /// Everything written since it was last asked for.
        func written() async throws -> String {
            await channel.testingEventLoop.run()
            var text = ""
            while let buffer = try await channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
            return text
        }

        /// The lines of the submissions that wait, each answered by `outcome`.
        func submitted(_ outcome: (Range<UInt64>) -> Submission.Outcome = { .durable($0) }) async -> [String] {
            var lines: [String] = []
            for submission in await records.next() {
                for record in submission.records {
                    lines += String(decoding: record.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
                }
                submission.reply(outcome(1..<UInt64(1 + submission.count)))
            }
            await channel.testingEventLoop.run()
            return lines
        }
    }

    private static let hello = #"{"hello":{"acks":"spooled"}}"# + "\n"
    private static let answer = #"{"hello":{"server":"millrace","version":"dev"}}"# + "\n"

    private func greeted(
        _ configure: (inout TCPIntakeConfiguration) -> Void = { _ in }
    ) async throws -> Connection {
        let connection = try await Connection(configure)
        try await connection.receives(Self.hello)
        #expect(try await connection.written() == Self.answer)
        return connection
    }

    @Test func `a greeting, lines and a refusal in one read are answered in order`() async throws {
        let connection = try await Connection()
        try await connection.receives(Self.hello + "\(good)\nbad\n\(good)\n")
        #expect(try await connection.written() == Self.answer)
        #expect(await connection.submitted() == [good, good])
        let answers = try await connection.written().split(separator: "\n")
        #expect(answers.first?.hasPrefix(#"{"line":2,"error":{"code":"invalid_json""#) == true)
        #expect(answers.last == #"{"ack":3}"# && answers.count == 2)
    }

    @Test func `lines without a greeting are never answered, and a partial last line counts at half-close`()
        async throws
    {
        let connection = try await Connection()
        try await connection.receives("\(good)\n\(good)")
        #expect(await connection.submitted() == [good])
        try await connection.happens(ChannelEvent.inputClosed)
        #expect(await connection.submitted() == [good])
        #expect(try await connection.written() == "")
        #expect(connection.isOutputClosed && !connection.isOpen)
    }

    @Test func `a partial last line goes away with a socket that is reset`() async throws {
        let connection = try await Connection()
        try await connection.receives("\(good)\n\(good)")
        #expect(await connection.submitted() == [good])
        try await connection.channel.close().get()
        #expect(connection.metrics[.tcp].linesReceived.value == 1)
        #expect(connection.metrics[.tcp].connectionsOpen.value == 0)
    }

    @Test func `a line that is too long is refused once, wherever it is cut`() async throws {
        let connection = try await greeted { $0.limits.lineBytes = 1024 }
        for _ in 0..<3 { try await connection.receives(String(repeating: "x", count: 1000)) }
        try await connection.receives("\n\(good)\n")
        #expect(await connection.submitted() == [good])
        let answers = try await connection.written()
        #expect(answers.hasPrefix(#"{"line":1,"error":{"code":"line_too_long","message":"it has 3000 bytes"#))
        #expect(answers.hasSuffix("{\"ack\":2}\n"))
    }

    @Test func `a client that does not read its acks is read no further until it does`() async throws {
        let connection = try await greeted()
        try await connection.asksToRead()
        #expect(connection.reads == 1)
        try await connection.setWritable(false)
        try await connection.receives("\(good)\n")
        try await connection.asksToRead()
        #expect(connection.reads == 1 && connection.records.waitingBytes == 0)
        try await connection.setWritable(true)
        #expect(connection.reads == 2)
        #expect(await connection.submitted() == [good])
        #expect(try await connection.written() == "{\"ack\":1}\n")
    }

    @Test func `a connection with too much unanswered is read no further until it is answered`() async throws {
        let connection = try await greeted { $0.tcp.inflightBytesMax = 10 }
        try await connection.receives("\(good)\n")
        try await connection.receives("\(good)\n")
        try await connection.asksToRead()
        #expect(connection.reads == 0)
        #expect(await connection.submitted() == [good])
        #expect(await connection.submitted() == [good])
        #expect(connection.reads == 1)
        #expect(try await connection.written() == "{\"ack\":1}\n{\"ack\":2}\n")
    }

    @Test func `what a full spool refused is offered again before anything is acked`() async throws {
        let connection = try await greeted { $0.tcp.retryInterval = .milliseconds(250) }
        try await connection.receives("\(good)\n")
        #expect(await connection.submitted { _ in .failed(.spoolFull) } == [good])
        await connection.passes(.milliseconds(249))
        #expect(connection.records.waitingBytes == 0)
        await connection.passes(.milliseconds(1))
        #expect(try await connection.written() == "")
        #expect(await connection.submitted() == [good])
        #expect(try await connection.written() == "{\"ack\":1}\n")
    }

    @Test func `a silent peer is told and closed`() async throws {
        let connection = try await greeted { $0.tcp.idleTimeout = .seconds(60) }
        await connection.passes(.seconds(59))
        try await connection.receives("\(good)\n")
        #expect(await connection.submitted() == [good])
        #expect(try await connection.written() == "{\"ack\":1}\n")
        await connection.passes(.seconds(59))
        #expect(!connection.isOutputClosed)
        await connection.passes(.seconds(1))
        #expect(try await connection.written().hasPrefix(#"{"error":{"code":"idle_timeout""#))
        #expect(connection.isOutputClosed && connection.isOpen)
        await connection.passes(.seconds(1))
        #expect(!connection.isOpen && connection.metrics[.tcp].connectionsOpen.value == 0)
    }

    @Test func `a shutdown answers what was received, then closes`() async throws {
        let connection = try await greeted()
        try await connection.receives("\(good)\n")
        try await connection.happens(ChannelShouldQuiesceEvent())
        #expect(!connection.isOutputClosed)
        #expect(await connection.submitted() == [good])
        #expect(try await connection.written() == "{\"ack\":1}\n")
        #expect(connection.isOutputClosed)
    }

    @Test func `a shutdown that nobody answers is bounded`() async throws {
        let connection = try await greeted { $0.intake.drainLimit = .seconds(10) }
        try await connection.receives("\(good)\n")
        try await connection.happens(ChannelShouldQuiesceEvent())
        await connection.passes(.seconds(10))
        #expect(!connection.isOpen)
        #expect(try await connection.written() == "")
    }
}
