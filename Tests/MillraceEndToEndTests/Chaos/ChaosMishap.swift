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
