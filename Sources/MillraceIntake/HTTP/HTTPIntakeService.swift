internal import Glibc
package import Logging
package import MillraceChannels
internal import MillraceEvent
internal import MillraceRoutes
package import MillraceTelemetry
package import NIOCore
internal import NIOHTTP1
package import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1
internal import ServiceLifecycle

/// The HTTP intake: all listeners, and every route's connections.
///
/// Enters: bytes of TCP and Unix sockets. Leaves: submissions into the record channel; answers to clients; requests of
/// other routes to `routes`.
/// Invariants:
/// 1. What was answered 2xx is durable (or committed); nothing answered otherwise is ever submitted.
/// 2. Answers come in the order of their requests, whoever gives them.
/// 3. A body is never whole in memory: at most two submissions, one read, and one item. An SDK's is, within
///    `http.sdk_body_max`, as its key may stand at its end.
///
/// Crash: what was not answered is sent again by its client. Backpressure: sockets are not read. Shutdown: no more
/// accepts; requests in hand are answered, then connections close; bounded by `intake.drain_limit`.
package struct HTTPIntakeService: Service {
    /// Answers the requests of one connection that are not for the intake; returns when the connection ends.
    package typealias Routes = @Sendable (NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>) async -> Void

    private let configuration: Live<HTTPIntakeConfiguration>
    private let channel: RecordChannel
    private let metrics: IntakeMetrics
    private let group: any EventLoopGroup
    private let logger: Logger
    private let routes: Routes
    private let onListening: @Sendable ([ListenAddress]) -> Void

    /// Of a later `configuration` everything is in force but the addresses and what the system is told of sockets.
    /// `onListening` is told the bound addresses, in the order of `configuration.listen`, once all are open.
    package init(
        configuration: Live<HTTPIntakeConfiguration>, channel: RecordChannel, metrics: IntakeMetrics,
        group: any EventLoopGroup, logger: Logger, routes: @escaping Routes,
        onListening: @escaping @Sendable ([ListenAddress]) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.channel = channel
        self.metrics = metrics
        self.group = group
        self.logger = logger
        self.routes = routes
        self.onListening = onListening
    }

    /// Listens until graceful shutdown or cancellation. Throws `IntakeError`.
    package func run() async throws {
        // Bounded by the limit on connections: each attaches once.
        let (attached, attach) = AsyncStream<NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>>.makeStream()
        let shared = HTTPIntakeShared(
            configuration: configuration, channel: channel, metrics: metrics, logger: logger,
            attachRoutes: { channel, isSecure in
                try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPServerCodec(secure: isSecure))
                attach.yield(
                    try NIOAsyncChannel(
                        wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
                )
            })
        try await withThrowingTaskGroup { group in
            group.addTask {
                await withDiscardingTaskGroup { connections in
                    for await connection in attached { connections.addTask { await routes(connection) } }
                }
            }
            defer { attach.finish() }
            try await listen(shared)
        }
    }

    private func listen(_ shared: HTTPIntakeShared) async throws {
        let configuration = self.configuration.value
        let limit = AcceptLimit(max: configuration.socketsMax)
        self.configuration.onChange { limit.setMax($0.socketsMax) }
        var listeners = Listeners(group: group, configuration: configuration.intake, limit: limit, logger: logger)
        let door = configuration.certificates.map { certificates in
            let answer = HTTPAnswer(
                .tlsRequired, retryAfterSeconds: configuration.http.retryAfterSeconds,
                to: HTTPAudience(route: .other)
            )
            .bytes(connection: "close", hasBody: true, ByteBufferAllocator())
            return TLSDoor(
                certificates, counters: metrics[.http], linger: configuration.intake.linger,
                logInterval: configuration.limits.refusedLogInterval, plainTextAnswer: Array(answer.readableBytesView),
                logger: logger)
        }
        do {
            for address in configuration.listen {
                try await listeners.bind(address, backlog: configuration.http.backlog, tls: door) { channel, peer in
                    try Self.setUp(channel, shared, parser: LoopParser.ofThisThread, peer: peer)
                }
            }
            let addresses = listeners.open.map(\.address)
            logger.info("http intake listening", metadata: [.addresses: "\(addresses)"])
            onListening(addresses)
            try await gracefulShutdown()
        } catch {
            await listeners.close()
            if error is CancellationError { return }
            throw error
        }
        await listeners.close()
        logger.info("http intake stopped")
    }

    /// Adds a connection's handlers. `parser`: used on the channel's event loop only. `peer`: nil in plain text.
    static func setUp(
        _ channel: any Channel, _ shared: HTTPIntakeShared, parser: EventParser, peer: TLSPeer? = nil
    ) throws {
        let configuration = shared.settings.value.configuration
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = configuration.http.headerBytes
        limits.maxHeaderListSize = configuration.http.headerBytes
        limits.maxHeaderFieldCount = configuration.http.headerFields
        let wire = HTTPWireHandler(limits: limits, memory: configuration.memory)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(wire)
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(wire.makeDecoder())
        try pipeline.addHandler(
            HTTPConnectionHandler(
                shared: shared, wire: wire, parser: parser, eventLoop: channel.eventLoop, peer: peer))
    }
}
