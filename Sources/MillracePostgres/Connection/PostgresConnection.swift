internal import CLibPQ
internal import Glibc
package import Logging
internal import MillraceTelemetry

/// One session with PostgreSQL, over libpq.
///
/// Not thread-safe: one thread at a time uses it, and an actor on a thread of its own holds it, because every function
/// blocks. Nothing blocks for ever: libpq runs non-blocking, and each wait ends at the caller's limit or when the
/// `PostgresInterrupt` is raised. A connection whose statement ended in either way cannot know what the server did; it
/// is then closed (`isUsable` is false), and the caller connects again.
///
/// The one wait without a limit is the resolver's, when a host name is looked up.
package final class PostgresConnection {
    // SAFETY: libpq's connection: made in init, freed once in `close()`, used only through this class.
    private var handle: OpaquePointer?
    /// Ends every wait of this connection.
    package let interrupt: PostgresInterrupt
    /// For what is sent without a time limit of its own.
    let statementTimeout: Duration
    private let notices: NoticeLog
    /// What pipelines have prepared.
    var prepared = PreparedStatements()
    /// Whether Citus is known to be in the database: `lookForCitus`, or whoever asked in a statement of its own.
    package var hasCitus = false

    /// Stops what this session's server process is doing, from another thread.
    package let canceller: PostgresCanceller

    /// Connects, and sets all that Millrace relies on: UTF-8, UTC, ISO dates, no time limits of the server's.
    ///
    /// - Parameters:
    ///   - connectionString: see `ConnectionString`; what it leaves out comes from the `PG…` environment.
    ///   - applicationName: what `pg_stat_activity` shows.
    ///   - connectTimeout: for all hosts and addresses together, the first statement included.
    ///   - statementTimeout: for each statement or COPY that is given no time limit of its own.
    ///   - interrupt: ends every wait of this connection.
    ///   - logger: takes the server's notices, at level debug.
    package init(
        connectionString: String,
        applicationName: String,
        connectTimeout: Duration,
        statementTimeout: Duration = .seconds(60),
        interrupt: PostgresInterrupt,
        logger: Logger? = nil
    ) throws(PostgresError) {
        let target = ConnectionString(connectionString)
        try target.check()
        let deadline = Deadline(after: connectTimeout)
        let notices = NoticeLog(logger: logger)
        let handle = try Self.start(target.libpq, applicationName: applicationName)
        do throws(PostgresError) {
            notices.attach(to: handle)
            try Self.finish(handle, deadline: deadline, interrupt: interrupt)
        } catch {
            PQfinish(handle)
            var error = error
            error.message = target.cleaned(error.message)
            throw error
        }
        self.handle = handle
        self.interrupt = interrupt
        self.statementTimeout = statementTimeout
        self.notices = notices
        canceller = PostgresCanceller(connectionString: connectionString, backendID: PQbackendPID(handle))
        try prepareSession(deadline: deadline)
    }

    deinit {
        close()
    }

    /// Ends the session. The server process notices within a second even if it is amid a statement, and rolls back.
    package func close() {
        if let handle { PQfinish(handle) }
        handle = nil
    }

    /// False once the session is lost, timed out, interrupted or closed: connect again.
    package var isUsable: Bool {
        handle.map { PQstatus($0) == CONNECTION_OK } ?? false
    }

    package var transactionStatus: TransactionStatus {
        switch handle.map(PQtransactionStatus) {
        case PQTRANS_IDLE: .idle
        case PQTRANS_ACTIVE: .active
        case PQTRANS_INTRANS: .inTransaction
        case PQTRANS_INERROR: .failed
        default: .unknown
        }
    }

    /// The server's process that serves this session.
    package var backendID: Int32 { canceller.backendID }

    // MARK: - For the extensions in this folder

    /// Runs one exchange with the server. When it ends by anything but the server's own answer, what the server does
    /// next is unknown, so the session ends.
    func exchange<Answer: ~Copyable>(
        _ body: (OpaquePointer) throws(PostgresError) -> Answer
    ) throws(PostgresError) -> Answer {
        guard let handle else { throw .isClosed }
        do throws(PostgresError) {
            return try body(handle)
        } catch {
            if error.code != .serverError { close() }
            throw error
        }
    }

    /// Sends all that libpq holds back, reading meanwhile so that neither side waits for the other.
    func flush(_ handle: OpaquePointer, deadline: Deadline) throws(PostgresError) {
        while true {
            switch PQflush(handle) {
            case 0: return
            case 1: break
            default: throw .lost(handle)
            }
            let ready = try Self.wait(
                handle, for: POLLIN | POLLOUT, deadline: deadline, interrupt: interrupt, operation: "sending")
            if ready & POLLIN != 0, PQconsumeInput(handle) == 0 { throw .lost(handle) }
        }
    }

    /// The next result of the statement under way, owned by the caller; nil after the last.
    func nextResult(_ handle: OpaquePointer, deadline: Deadline) throws(PostgresError) -> OpaquePointer? {
        try flush(handle, deadline: deadline)
        while PQisBusy(handle) == 1 { try receive(handle, deadline: deadline) }
        return PQgetResult(handle)
    }

    /// Waits until the server has sent more, and takes in what there is.
    func receive(_ handle: OpaquePointer, deadline: Deadline) throws(PostgresError) {
        _ = try Self.wait(handle, for: POLLIN, deadline: deadline, interrupt: interrupt, operation: "the statement")
        if PQconsumeInput(handle) == 0 { throw .lost(handle) }
    }

    // MARK: - Connecting

    private static func start(_ string: String, applicationName: String) throws(PostgresError) -> OpaquePointer {
        // Keywords before dbname are defaults that the string overrides, those after it are Millrace's.
        let keywords: [(String, String)] = [
            ("keepalives_idle", "30"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "30000"), ("dbname", string),
            ("application_name", applicationName), ("client_encoding", "UTF8"),
        ]
        let names = keywords.map { strdup($0.0) } + [nil]
        let values = keywords.map { strdup($0.1) } + [nil]
        defer { for pointer in names + values { free(pointer) } }
        let handle = names.map { UnsafePointer($0) }.withUnsafeBufferPointer { names in
            values.map { UnsafePointer($0) }.withUnsafeBufferPointer { values in
                PQconnectStartParams(names.baseAddress, values.baseAddress, 1)
            }
        }
        guard let handle else {
            throw PostgresError(code: .connectionFailed, message: "libpq has no memory for a connection")
        }
        return handle
    }

    private static func finish(
        _ handle: OpaquePointer, deadline: Deadline, interrupt: PostgresInterrupt
    ) throws(PostgresError) {
        guard PQstatus(handle) != CONNECTION_BAD else { throw .refused(handle) }
        PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        var next = PGRES_POLLING_WRITING
        while next != PGRES_POLLING_OK {
            let events: Int32
            switch next {
            case PGRES_POLLING_READING: events = POLLIN
            case PGRES_POLLING_WRITING: events = POLLOUT
            default: throw .refused(handle)
            }
            _ = try wait(handle, for: events, deadline: deadline, interrupt: interrupt, operation: "connecting")
            next = PQconnectPoll(handle)
        }
        guard PQsetnonblocking(handle, 1) == 0 else { throw .lost(handle) }
    }

    /// Everything that a session relies on and that someone may set for the role, the database or the server. The server
    /// looks every second whether the client is still there, so that a session given up lets go of its locks. Of a client
    /// whose host or network is gone it learns by its own keepalives: PostgreSQL's default are the kernel's two hours. On a
    /// Unix socket they mean nothing. A policy that would hide rows is an error.
    private static let settings = [
        ("TimeZone", "UTC"), ("DateStyle", "ISO, YMD"), ("IntervalStyle", "postgres"), ("bytea_output", "hex"),
        ("client_encoding", "UTF8"), ("extra_float_digits", "1"), ("standard_conforming_strings", "on"),
        ("array_nulls", "on"), ("transform_null_equals", "off"), ("quote_all_identifiers", "off"),
        ("search_path", "public"), ("row_security", "off"), ("jit", "off"),
        ("default_transaction_read_only", "off"), ("default_transaction_isolation", "read committed"),
        ("default_transaction_deferrable", "off"), ("idle_in_transaction_session_timeout", "0"),
        ("idle_session_timeout", "0"), ("transaction_timeout", "0"), ("client_connection_check_interval", "1s"),
        ("tcp_keepalives_idle", "10"), ("tcp_keepalives_interval", "5"), ("tcp_keepalives_count", "3"),
        ("tcp_user_timeout", "30s"),
    ]

    /// The time limits first, each a statement of its own, since they apply to those after them. What this server does
    /// not know is left out.
    private func prepareSession(deadline: Deadline) throws(PostgresError) {
        let values = Self.settings.map { "('\($0.0)', '\($0.1)')" }.joined(separator: ", ")
        _ = try run(deadline: deadline) {
            PQsendQuery(
                $0,
                """
                SET statement_timeout = 0;
                SET lock_timeout = 0;
                SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
                FROM (VALUES \(values)) AS wanted (name, value)
                WHERE pg_catalog.current_setting(wanted.name, true) IS DISTINCT FROM wanted.value
                    AND pg_catalog.current_setting(wanted.name, true) IS NOT NULL
                """)
        }
    }

    /// How the database stores text, as the server said when it took the session.
    package var serverEncoding: String? {
        handle.flatMap { PQparameterStatus($0, "server_encoding") }.map { String(cString: $0) }
    }

    /// Throws when the database keeps text in another encoding than UTF-8: it could not hold every event.
    package func requireUTF8() throws(PostgresError) {
        guard let encoding = serverEncoding, encoding != "UTF8" else { return }
        throw PostgresError(
            code: .databaseUnfit, message: "the database's encoding is \(encoding), and events are UTF-8",
            hint:
                "Make one by `createdb -E UTF8 -T template0`, move what is there with pg_dump, point database.url at it."
        )
    }

    // MARK: - Waiting

    /// Waits until the socket is ready for one of `events`; returns those it is ready for.
    private static func wait(
        _ handle: OpaquePointer,
        for events: Int32,
        deadline: Deadline,
        interrupt: PostgresInterrupt,
        operation: String
    ) throws(PostgresError) -> Int32 {
        // A socket that is always ready must not outrun the limit.
        while !deadline.isOver {
            var entries = [
                pollfd(fd: PQsocket(handle), events: Int16(events), revents: 0),
                pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            let count = poll(&entries, 2, deadline.millisecondsLeft)
            if count > 0 {
                if entries[1].revents != 0 { throw .interrupted(operation) }
                // An error or a hang-up of the socket is for libpq to read and to name.
                let ready = Int32(entries[0].revents)
                return ready & (POLLERR | POLLHUP | POLLNVAL) != 0 ? ready | POLLIN : ready
            }
            if count < 0, errno != EINTR {
                throw PostgresError(
                    code: .connectionFailed, message: "poll failed: \(String(cString: strerror(errno)))")
            }
        }
        throw .timedOut(operation)
    }
}

/// Where a connection stands, as of the last answer.
package enum TransactionStatus: String, Sendable {
    case idle
    /// A statement is under way.
    case active
    case inTransaction = "in_transaction"
    /// The transaction has failed; only ROLLBACK (or ROLLBACK TO a savepoint) ends that.
    case failed
    /// The connection is bad.
    case unknown
}

/// Takes a connection's notices from libpq, which would otherwise print them to standard error.
final class NoticeLog {
    private let logger: Logger?

    init(logger: Logger?) {
        self.logger = logger
    }

    /// The log must live as long as the connection.
    func attach(to connection: OpaquePointer) {
        PQsetNoticeReceiver(
            connection,
            { context, result in
                guard let context else { return }
                Unmanaged<NoticeLog>.fromOpaque(context).takeUnretainedValue().take(result)
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        // libpq's own warnings; they say nothing that an error does not say again.
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
    }

    private func take(_ result: OpaquePointer?) {
        guard let logger, let result else { return }
        logger.debug(
            "database notice",
            metadata: [
                .sqlState: "\(PostgresError.field(.sqlState, of: result) ?? "")",
                .message: "\(PostgresError.field(.message, of: result) ?? "")",
            ]
        )
    }
}
