import Logging
package import MillraceEvent
import MillracePostgres
import MillraceTelemetry

/// Makes a connection the one session of a spool. Blocks; lives on the ledger's thread.
struct SpoolSession {
    /// Between two looks at who holds a lock.
    private static let interval = Duration.milliseconds(200)

    let connection: PostgresConnection
    let spool: UniqueID
    let logger: Logger
    private let lockKeys: AdvisoryLockKeys
    private var machine: TakeoverStateMachine

    init(
        connection: PostgresConnection, spool: UniqueID, configuration: WriterConfiguration, run: RunName,
        logger: Logger
    ) {
        self.connection = connection
        self.spool = spool
        self.logger = logger
        lockKeys = AdvisoryLockKeys(spool: spool)
        machine = TakeoverStateMachine(
            run: run, lockTimeout: configuration.database.sessionLockTimeout,
            statementTimeout: configuration.database.statementTimeout)
    }

    /// Takes the spool's lock, and waits until no other session has a writer's. Ends dead ones; throws `SpoolInUse` when a
    /// live one does not let go. `pause`: sleeps up to that long, and throws when the daemon stops.
    mutating func take(pause: (Duration) throws -> Void) throws {
        while try connection.execute("SELECT pg_try_advisory_lock(\(lockKeys.sessionKey))").bool(0, 0) != true {
            try deal(with: try LockHolder.all(lockKeys, on: connection).filter { !$0.isWriter })
            try pause(Self.interval)
        }
        while case let holders = try LockHolder.all(lockKeys, on: connection), !holders.isEmpty {
            try deal(with: holders)
            try pause(Self.interval)
        }
    }

    private mutating func deal(with holders: [LockHolder]) throws {
        for action in machine.held(by: holders, at: .now) {
            switch action {
            case .terminate(let holder):
                logger.notice(
                    "session of an earlier run ended", metadata: [.spoolID: "\(spool)", .session: "\(holder.summary)"])
                try holder.terminate(on: connection)
            case .report(let holder):
                logger.warning(
                    "waiting for another session of this spool",
                    metadata: [
                        .spoolID: "\(spool)", .session: "\(holder.summary)",
                        .hint: "it is ended once it is dead; else stop the daemon it belongs to",
                    ])
            case .giveUp(let holder): throw SpoolInUse(spool: spool, holder: holder.summary)
            }
        }
    }
}

/// Another daemon holds this spool's session in the database: its directory was copied, or runs elsewhere too.
package struct SpoolInUse: Error, CustomStringConvertible {
    package var spool: UniqueID
    /// The session that holds it, and what it does.
    package var holder: String

    package var description: String {
        "another session holds spool \(spool) in the database, and it lives: a copy of this spool's directory is served "
            + "elsewhere. \(holder). Stop the other daemon, or remove the copied directory so that a new spool is made."
    }
}

/// How `pg_stat_activity` names the sessions of one run of a daemon: `millrace writer 0 0192f3a4@1764435643123456`, the
/// part, the first eight digits of the spool's id, and when the run began in microseconds since 1970. 45 bytes at most,
/// of the 63 that PostgreSQL keeps.
package struct RunName: Sendable, Equatable {
    private let suffix: String
    let startedAt: Timestamp

    package init(spool: UniqueID, startedAt: Timestamp) {
        self.startedAt = startedAt
        suffix = "\(spool)".prefix(8) + "@\(startedAt.microseconds)"
    }

    /// Of the session of `part`, such as "ledger" or "writer 0".
    func session(_ part: String) -> String { "millrace \(part) \(suffix)" }

    /// Whether a session of that name belongs to this run.
    func owns(_ name: String) -> Bool { name.hasSuffix(" \(suffix)") }

    /// For LIKE: the sessions of this run. Neither digits nor `@` want quotes.
    var pattern: String { "millrace % \(suffix)" }
}
