internal import Logging
internal import MillraceThreads
internal import MillracePostgres
internal import MillraceTelemetry

/// One connection for reading, on a thread of its own. Connects when it is first used, and anew when the connection
/// was lost.
actor ReadSession {
    private static let clientMargin = Duration.seconds(1)

    private let executor: ThreadExecutor
    private var settings: LiveCopy<ReadPoolConfiguration>
    private let interrupt: PostgresInterrupt
    private let logger: Logger
    private var connection: PostgresConnection?
    /// What the session's `millrace.tenant` is; nil: not set.
    private var tenant: Int32?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(number: Int, settings: Live<ReadPoolConfiguration>, interrupt: PostgresInterrupt, logger: Logger) {
        executor = ThreadExecutor(name: "read-\(number)")
        self.settings = LiveCopy(settings)
        self.interrupt = interrupt
        self.logger = logger
    }

    /// Whether the next use finds a connection.
    var isConnected: Bool { connection?.isUsable ?? false }

    /// Runs `body`, which reads only and so may run twice: once more when a connection that had been idle was lost.
    /// `tenant`: whose rows it is shown; nil: it looks at none.
    func run<Answer: Sendable>(
        of tenant: Int32?, _ body: @Sendable (PostgresConnection) throws -> Answer
    ) throws -> Answer {
        let before = settings.value.api.statementTimeout
        // What a session was told when it was opened is told to a new one.
        if settings.refresh(), settings.value.api.statementTimeout != before { connection = nil }
        let wasConnected = isConnected
        do {
            return try body(connected(for: tenant))
        } catch let error as PostgresError {
            let isLost = !isConnected
            if isLost { connection = nil }
            guard wasConnected, isLost, error.code != .interrupted, error.code != .timedOut else { throw error }
            return try body(connected(for: tenant))
        }
    }

    /// Closes the connection and lets the thread end.
    func end() {
        connection = nil
        executor.stop()
    }

    /// With the tenant that is wanted; the server is told only where it differs from the last one.
    private func connected(for wanted: Int32?) throws(PostgresError) -> PostgresConnection {
        let connection = try connected()
        guard tenant != wanted else { return connection }
        try connection.execute(wanted.map { "SET millrace.tenant = \($0)" } ?? "RESET millrace.tenant")
        tenant = wanted
        return connection
    }

    private func connected() throws(PostgresError) -> PostgresConnection {
        if let connection, connection.isUsable { return connection }
        connection = nil
        let configuration = settings.value
        let session = try configuration.connect { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: configuration.applicationName,
                connectTimeout: configuration.connectTimeout,
                statementTimeout: configuration.api.statementTimeout + Self.clientMargin, interrupt: self.interrupt,
                logger: self.logger)
        }
        let (seconds, attoseconds) = configuration.api.statementTimeout.components
        // No sequential scan where an index will do: of a month that has just begun the statistics say nothing. These
        // statements are short, which compiling and further processes would only delay.
        try session.execute(
            """
            SET default_transaction_read_only = \(configuration.isReadOnly ? "on" : "off");
            SET row_security = on;
            SET statement_timeout = \(max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000));
            SET enable_seqscan = off;
            SET jit = off;
            SET max_parallel_workers_per_gather = 0
            """)
        connection = session
        tenant = nil
        return session
    }
}
