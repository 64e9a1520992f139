internal import MillracePostgres
internal import MillraceThreads

/// Looks again and again how far one server is, over a session of its own.
actor ServerWatch {
    private let executor: ThreadExecutor
    private let configuration: ReadPoolConfiguration
    private let interval: Duration
    private let interrupt = PostgresInterrupt()
    private let tell: @Sendable (Result<ReplicaStateMachine.Answer, PostgresError>) -> Void
    private var session: (connection: PostgresConnection, systemIdentifier: String?)?

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// `tell`: what came of each look, on this watch's thread.
    init(
        number: Int, _ configuration: ReadPoolConfiguration, every interval: Duration,
        tell: @escaping @Sendable (Result<ReplicaStateMachine.Answer, PostgresError>) -> Void
    ) {
        executor = ThreadExecutor(name: "replica-\(number)")
        self.configuration = configuration
        self.interval = interval
        self.tell = tell
    }

    /// Until cancellation.
    nonisolated func run() async {
        await withTaskCancellationHandler {
            await self.look()
        } onCancel: {
            self.interrupt.raise()
        }
    }

    private func look() {
        while !Task.isCancelled {
            do throws(PostgresError) {
                tell(.success(try answer()))
            } catch {
                session = nil
                if error.code == .interrupted { break }
                tell(.failure(error))
            }
            do throws(PostgresError) { try interrupt.pause(for: interval) } catch { break }
        }
        session = nil
        executor.stop()
    }

    private func answer() throws(PostgresError) -> ReplicaStateMachine.Answer {
        let session = try connected()
        let answer = try session.connection.execute(
            """
            SELECT
                pg_is_in_recovery(),
                pg_wal_lsn_diff(
                    CASE
                        WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                        ELSE pg_current_wal_insert_lsn()
                    END,
                    '0/0')::bigint,
                CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END
            """)
        return ReplicaStateMachine.Answer(
            isStandby: answer.bool(0, 0) == true, position: answer.int(0, 1) ?? 0,
            timeline: answer.string(0, 2).flatMap { Int($0, radix: 16) }, systemIdentifier: session.systemIdentifier)
    }

    private func connected() throws(PostgresError) -> (connection: PostgresConnection, systemIdentifier: String?) {
        if let session, session.connection.isUsable { return session }
        let configuration = configuration
        let connection = try configuration.connect { (url) throws(PostgresError) in
            try PostgresConnection(
                connectionString: url, applicationName: "millrace replica",
                connectTimeout: configuration.connectTimeout, statementTimeout: configuration.connectTimeout,
                interrupt: self.interrupt)
        }
        let systemIdentifier = try connection.serverIdentity().systemIdentifier
        session = (connection: connection, systemIdentifier: systemIdentifier)
        return (connection: connection, systemIdentifier: systemIdentifier)
    }
}
