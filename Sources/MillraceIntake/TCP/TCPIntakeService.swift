internal import Glibc
package import Logging
package import MillraceChannels
internal import MillraceEvent
package import MillraceTelemetry
package import NIOCore
internal import ServiceLifecycle

/// The TCP intake.
///
/// Enters: bytes of TCP and Unix sockets. Leaves: submissions into the record channel; hello, errors and acks to clients.
/// Invariants:
/// 1. `{"ack":N}` is written only when each of the first N lines is durable (committed), or was refused.
/// 2. A line that was read is submitted, refused, or waiting in its connection; a full spool drops none.
/// 3. A bad line changes nothing for its neighbours.
/// 4. A connection holds at most one read, `inflight_bytes`, and one line.
///
/// Crash: what was not acked is sent again by clients that asked for acks. Backpressure: sockets are not read.
/// Shutdown: no more accepts and reads; whole lines go in, their answers are written, then connections close; bounded
/// by `intake.drain_limit`.
package struct TCPIntakeService: Service {
    private let configuration: Live<TCPIntakeConfiguration>
    private let channel: RecordChannel
    private let metrics: IntakeMetrics
    private let group: any EventLoopGroup
    private let logger: Logger
    private let onListening: @Sendable ([ListenAddress]) -> Void

    /// Of a later `configuration` everything is in force but the addresses and what the system is told of sockets.
    /// `onListening` is told the bound addresses, in the order of `configuration.listen`, once all are open.
    package init(
        configuration: Live<TCPIntakeConfiguration>, channel: RecordChannel, metrics: IntakeMetrics,
        group: any EventLoopGroup, logger: Logger, onListening: @escaping @Sendable ([ListenAddress]) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.channel = channel
        self.metrics = metrics
        self.group = group
        self.logger = logger
        self.onListening = onListening
    }

    /// Listens until graceful shutdown or cancellation. Throws `IntakeError`.
    package func run() async throws {
        let shared = TCPIntakeShared(
            configuration: self.configuration, channel: channel, metrics: metrics, logger: logger)
        let configuration = self.configuration.value
        let limit = AcceptLimit(max: configuration.socketsMax)
        self.configuration.onChange { limit.setMax($0.socketsMax) }
        var listeners = Listeners(group: group, configuration: configuration.intake, limit: limit, logger: logger)
        let door = configuration.certificates.map { certificates in
            TLSDoor(
                certificates, counters: metrics[.tcp], linger: configuration.intake.linger,
                logInterval: configuration.limits.refusedLogInterval, plainTextAnswer: TCPAnswers.tlsRequired,
                logger: logger)
        }
        do {
            for address in configuration.listen {
                try await listeners.bind(address, backlog: configuration.tcp.backlog, tls: door) { channel, peer in
                    let handler = TCPIntakeHandler(
                        shared: shared, eventLoop: channel.eventLoop, remote: channel.remoteAddress,
                        clientSubject: peer?.subject)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            let addresses = listeners.open.map(\.address)
            logger.info("tcp intake listening", metadata: [.addresses: "\(addresses)"])
            onListening(addresses)
            try await gracefulShutdown()
        } catch {
            await listeners.close()
            if error is CancellationError { return }
            throw error
        }
        await listeners.close()
        logger.info("tcp intake stopped")
    }
}
