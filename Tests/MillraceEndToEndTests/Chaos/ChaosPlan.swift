import MillraceTestSupport

/// What each round does.
struct ChaosPlan {
    let seed: UInt64
    private(set) var rounds: [[ChaosFault]] = []

    /// Each fault comes before one comes again, and so does each mishap; every third round has two faults.
    init(rounds count: Int, seed: UInt64) {
        self.seed = seed
        var random = SeededGenerator(seed: seed &+ 1)
        var faultsLeft: [ChaosFault] = []
        var mishapsLeft: [ChaosMishap] = []
        for round in 1...count {
            var faults: [ChaosFault] = []
            for _ in 0..<(round % 3 == 0 ? 2 : 1) {
                if faultsLeft.isEmpty { faultsLeft = ChaosFault.all.shuffled(using: &random) }
                faults.append(faultsLeft.removeLast())
            }
            if mishapsLeft.isEmpty { mishapsLeft = ChaosMishap.allCases.shuffled(using: &random) }
            faults.insert(.mishap(mishapsLeft.removeLast()), at: Int.random(in: 0...faults.count, using: &random))
            rounds.append(faults)
        }
    }
}

/// What is done to the daemon and to PostgreSQL in a round.
enum ChaosFault: Sendable, Hashable {
    case killDaemon
    /// SIGTERM, which must end with status 0.
    case stopDaemon
    case stopPostgres
    case both
    case cut(PostgresProxy.Cut)
    case mishap(ChaosMishap)

    static let all: [ChaosFault] =
        [.killDaemon, .stopDaemon, .stopPostgres, .both] + PostgresProxy.Cut.allCases.map { .cut($0) }
}

/// What an operator, an administrator or a disk does to a running installation, and takes back.
enum ChaosMishap: CaseIterable, Sendable {
    /// The daemon is killed, and bytes that are no record follow the newest segment.
    case tornTail
    /// The spool is restored from an older copy, and PostgreSQL is away at the start.
    case olderCopy
    /// A trigger swallows every row.
    case nullTrigger
    /// The role has a `statement_timeout` and a `lock_timeout` of a millisecond.
    case roleTimeouts
    /// The database is read-only by default.
    case readOnlyDatabase
    /// Somebody holds ACCESS EXCLUSIVE on a month.
    case lockedMonth
    /// The database is renamed away.
    case databaseAway
    /// Every session of the database is terminated.
    case sessionsTerminated
    /// Clients that read no answer, vanish amid a line, or give up waiting for a commit.
    case unkindClients
}
