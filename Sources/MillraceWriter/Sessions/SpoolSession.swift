import Logging
import MillraceEvent
import MillracePostgres

/// Makes a connection the one session of a spool. Blocks; lives on the ledger's thread.
struct SpoolSession {
    /// Between two looks at who holds a lock.
    private static let interval = Duration.milliseconds(200)

    let connection: PostgresConnection
    let spool: UniqueID
    let logger: Logger
    private let lock: SpoolLock
    private var machine: TakeoverStateMachine

    init(
        connection: PostgresConnection, spool: UniqueID, configuration: WriterConfiguration, run: RunName,
        logger: Logger
    ) {
        self.connection = connection
        self.spool = spool
        self.logger = logger
        lock = SpoolLock(spool: spool)
        machine = TakeoverStateMachine(
            run: run, lockTimeout: configuration.database.sessionLockTimeout,
            statementTimeout: configuration.database.statementTimeout)
    }

    /// Takes the spool's lock, and waits until no other session has a writer's. Ends dead ones; throws `SpoolInUse` when a
    /// live one does not let go. `pause`: sleeps up to that long, and throws when the daemon stops.
    mutating func take(pause: (Duration) throws -> Void) throws {
        while try connection.execute("SELECT pg_try_advisory_lock(\(lock.sessionKey))").bool(0, 0) != true {
            try settle(try LockHolder.all(lock, on: connection).filter { !$0.isWriter })
            try pause(Self.interval)
        }
        while case let holders = try LockHolder.all(lock, on: connection), !holders.isEmpty {
            try settle(holders)
            try pause(Self.interval)
        }
    }

    private mutating func settle(_ holders: [LockHolder]) throws {
        for action in machine.held(by: holders, at: .now) {
            switch action {
            case .terminate(let holder):
                logger.notice(
                    "session of an earlier run ended", metadata: ["spool": "\(spool)", "session": "\(holder.summary)"])
                try holder.terminate(on: connection)
            case .report(let holder):
                logger.warning(
                    "waiting for another session of this spool",
                    metadata: [
                        "spool": "\(spool)", "session": "\(holder.summary)",
                        "hint": "it is ended once it is dead; else stop the daemon it belongs to",
                    ])
            case .giveUp(let holder): throw SpoolInUse(spool: spool, holder: holder.summary)
            }
        }
    }
}
