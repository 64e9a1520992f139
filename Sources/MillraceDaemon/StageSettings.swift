import Glibc
internal import MillraceChannels
import MillraceConfiguration
internal import MillraceEvent
import MillraceIntake
import MillracePostgres
import MillraceSpool
import MillraceWriter

/// config.toml, handed out: what each stage takes of it.
struct StageSettings {
    let spool: SpoolConfiguration
    var writer: WriterConfiguration
    let partitions: PartitionOptions
    let outbox: OutboxConfiguration
    private(set) var tcp: TCPIntakeConfiguration
    private(set) var http: HTTPIntakeConfiguration
    /// Of both intakes and the routes.
    let memory: MemoryBudget

    /// `databaseURL`: where the rows go; the embedded cluster's when there is one.
    init(_ configuration: DaemonConfiguration, databaseURL: String) throws(ListenAddressError) {
        spool = SpoolConfiguration(
            directory: configuration.spoolDirectory, segmentBytes: configuration.spool.segmentBytes,
            bytesMax: configuration.spool.bytes, freeBytesMin: configuration.spool.freeBytes,
            groupBytesMax: configuration.spool.groupBytes, zeroAheadBytes: configuration.spool.zeroAheadBytes,
            retain: configuration.spool.retain, fullRetry: configuration.spool.fullRetry
        )
        writer = Self.writer(configuration, databaseURL: databaseURL)
        writer.joinRows = configuration.database.joinRows
        writer.batchInterval = configuration.database.batchInterval
        writer.smallBatchInterval = configuration.database.smallBatchInterval
        writer.stuckBatchesMax = configuration.database.stuckBatchesMax
        writer.batchLockTimeout = configuration.database.batchLockTimeout
        writer.rowErrorTries = configuration.database.rowErrorTries
        writer.retainUntilReplayed = StandbyRequirement(configuration.spool.retainUntilReplayed)
        writer.letterBounds = LetterBounds(
            retain: configuration.deadLetters.retain, rowsMax: configuration.deadLetters.rowsMax,
            bytesMax: configuration.deadLetters.bytesMax)
        partitions = configuration.partitionOptions
        outbox = Self.outbox(configuration, databaseURL: databaseURL)
        tcp = try Self.tcp(configuration)
        http = try Self.http(configuration)
        memory = MemoryBudget(bytesMax: configuration.memory.budget, patience: configuration.memory.lineWait)
        tcp.memory = memory
        http.memory = memory
    }

    /// Sockets from the service manager take the place of `tcp.listen` and `http.listen`.
    mutating func listen(on activation: SocketActivation) {
        if !activation.tcp.isEmpty { tcp.listen = activation.tcp }
        if !activation.http.isEmpty { http.listen = activation.http }
    }

    /// The intakes' places, as far as there are files for them.
    mutating func fit(_ files: DescriptorPlan) {
        tcp.connectionsMax = files.tcp.connections
        tcp.committedWaitersMax = files.tcp.waiters
        tcp.socketsMax = files.tcp.sockets
        http.connectionsMax = files.http.connections
        http.committedWaitersMax = files.http.waiters
        http.socketsMax = files.http.sockets
    }

    private static func writer(_ configuration: DaemonConfiguration, databaseURL: String) -> WriterConfiguration {
        let database = configuration.database
        return WriterConfiguration(
            databaseURL: databaseURL, writers: database.writers, partBytesMax: database.partBytes,
            connectTimeout: database.connectTimeout,
            statementTimeout: database.statementTimeout, sessionLockTimeout: database.sessionLockTimeout,
            retryMin: database.retryMin, retryMax: database.retryMax, flushPoll: database.flushPoll,
            drainLimit: database.drainLimit, monthsAhead: configuration.partitions.ahead,
            maintenanceInterval: configuration.partitions.maintenanceInterval,
            ginCleanInterval: configuration.partitions.ginCleanInterval,
            ginCleanRows: configuration.partitions.ginCleanRows,
            ginCleanLimit: configuration.partitions.ginCleanLimit, dedupWindow: configuration.dedup.window,
            ledgerJoinAge: configuration.ledgerJoinAge,
            host: hostName(), version: Version.current
        )
    }

    private static func outbox(_ configuration: DaemonConfiguration, databaseURL: String) -> OutboxConfiguration {
        let database = configuration.database
        return OutboxConfiguration(
            databaseURL: databaseURL, poll: configuration.outbox.poll, rowsMax: configuration.outbox.batchRows,
            connectTimeout: database.connectTimeout, statementTimeout: database.statementTimeout,
            retryMin: database.retryMin, retryMax: database.retryMax, lines: lines(configuration),
            refusedLineBytesMax: configuration.limits.refusedLineBytes
        )
    }

    private static func tcp(_ configuration: DaemonConfiguration) throws(ListenAddressError) -> TCPIntakeConfiguration {
        var tcp = TCPIntakeConfiguration()
        tcp.listen = try addresses(configuration.tcp.listen, key: "tcp.listen")
        tcp.unixMode = configuration.intake.unixModeBits
        tcp.backlog = configuration.tcp.backlog
        tcp.idleTimeout = configuration.tcp.idleTimeout
        tcp.committedWait = configuration.intake.committedWait
        tcp.peer = peer(configuration)
        tcp.inflightBytesMax = configuration.tcp.inflightBytesMax
        tcp.refusedLineBytesMax = configuration.limits.refusedLineBytes
        tcp.refusalLogInterval = configuration.limits.refusedLogInterval
        tcp.refusals = RefusalBounds(
            linesMax: configuration.tcp.refusedLinesMax, burstLines: configuration.deadLetters.burstLines,
            burstInterval: configuration.deadLetters.burstInterval, sampledOneIn: configuration.deadLetters.sampledOneIn
        )
        tcp.retryInterval = configuration.tcp.retryInterval
        tcp.drainTimeout = configuration.intake.drainLimit
        tcp.lingerTimeout = configuration.intake.linger
        tcp.limits = lines(configuration)
        tcp.serverVersion = Version.current
        return tcp
    }

    private static func http(_ configuration: DaemonConfiguration) throws(ListenAddressError) -> HTTPIntakeConfiguration
    {
        var http = HTTPIntakeConfiguration()
        http.listen = try addresses(configuration.http.listen, key: "http.listen")
        http.hosts = configuration.http.hosts
        http.unixMode = configuration.intake.unixModeBits
        http.backlog = configuration.http.backlog
        http.connectionsReserved = configuration.http.reservedConnections
        http.crowdedWait = configuration.http.crowdedWait
        http.headerTimeout = configuration.http.headerTimeout
        http.idleTimeout = configuration.http.keepAlive
        http.writeTimeout = configuration.http.writeTimeout
        http.committedWait = configuration.intake.committedWait
        http.peer = peer(configuration)
        http.headerBytesMax = configuration.http.headerBytes
        http.headerFieldsMax = configuration.http.headerFields
        http.bodyBytesPerSecondMin = configuration.http.bodyRateMin
        http.bodyRateInterval = configuration.http.bodyRateInterval
        http.decompressedBytesMax = configuration.http.decompressedBytesMax
        http.compressionRatioMax = configuration.http.decompressionRatioMax
        http.rejectedItemsMax = configuration.http.rejectedItemsMax
        http.submissionBytes = configuration.http.submissionBytes
        http.retryAfterSeconds = Int(configuration.http.retryAfter.components.seconds)
        http.drainTimeout = configuration.intake.drainLimit
        http.lingerTimeout = configuration.intake.linger
        http.limits = lines(configuration)
        return http
    }

    private static func peer(_ configuration: DaemonConfiguration) -> PeerTimeouts {
        var peer = PeerTimeouts()
        peer.keepalive = configuration.intake.keepalive
        peer.keepaliveInterval = configuration.intake.keepaliveInterval
        peer.unanswered = configuration.intake.peerTimeout
        return peer
    }

    private static func lines(_ configuration: DaemonConfiguration) -> LineLimits {
        var limits = LineLimits()
        limits.lineBytesMax = configuration.limits.lineBytes
        limits.event = configuration.eventLimits
        return limits
    }

    private static func addresses(_ texts: [String], key: String) throws(ListenAddressError) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in texts {
            guard let address = ListenAddress(text) else { throw ListenAddressError(key: key, text: text) }
            addresses.append(address)
        }
        return addresses
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
    }
}

/// An address of `tcp.listen` or `http.listen` that is none.
package struct ListenAddressError: Error, CustomStringConvertible {
    let key: String
    let text: String

    package var description: String { "\(key): \"\(text)\" is no address: write host:port, [v6]:port or unix:/path" }
}
