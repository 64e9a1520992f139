/// Decides about the sessions that hold what a new session of the spool needs. A value without I/O and clock.
///
/// The daemon holds the directory's lock by then, so no other one runs on this directory: a session that is there comes
/// from an earlier run whose end PostgreSQL has not noticed (the host lost power, a firewall forgot the connection), from
/// a daemon on a *copy* of the directory, or from this run.
///
/// The two first ones differ by their lease. A live daemon's session asks at least once a second, so that one which has
/// been idle for `deadAfter`, or in a statement for longer than any daemon waits for one, is dead and is ended. A live
/// one is left alone, and this daemon gives up after `lockTimeout`. Should a live copy that was cut off from PostgreSQL
/// for that long be taken for dead, nothing is lost or written twice: its transactions roll back, and it ends with
/// `SpoolInUse` when it comes back.
///
/// Whoever has the spool's lock is the one daemon of this spool. A writer's session of an earlier run is then ended after
/// `grace`, which is what a COMMIT under way gets, and one of this run after `lockTimeout`.
struct TakeoverStateMachine: Sendable {
    enum Action: Sendable, Equatable {
        case terminate(LockHolder)
        /// Say that it is waited for.
        case report(LockHolder)
        /// End the daemon: it will not let go.
        case giveUp(LockHolder)
    }

    /// Ten polls of a live ledger's session.
    static let deadAfter = Duration.seconds(10)
    static let grace = Duration.seconds(3)
    /// Time to wait before the first report; then `reportInterval`.
    static let quietStart = Duration.seconds(2)
    static let reportInterval = Duration.seconds(60)
    /// Before a session that was told to end is told again.
    static let repeatAfter = Duration.seconds(5)

    private struct Seen {
        var since: ContinuousClock.Instant
        var reportedAt: ContinuousClock.Instant?
        var terminatedAt: ContinuousClock.Instant?
    }

    private let run: RunName
    private let lockTimeout: Duration
    private let statementTimeout: Duration
    private var seen: [String: Seen] = [:]

    /// `lockTimeout`: `database.session_lock_timeout`. `statementTimeout`: how long a daemon waits for one statement.
    init(run: RunName, lockTimeout: Duration, statementTimeout: Duration) {
        self.run = run
        self.lockTimeout = lockTimeout
        self.statementTimeout = statementTimeout
    }

    /// These hold what is needed, at `instant`.
    mutating func held(by holders: [LockHolder], at instant: ContinuousClock.Instant) -> [Action] {
        holders.compactMap { action(for: $0, at: instant) }
    }

    private mutating func action(for holder: LockHolder, at instant: ContinuousClock.Instant) -> Action? {
        let key = "\(holder.backendID) \(holder.startedAt)"
        var entry = seen[key] ?? Seen(since: instant)
        defer { seen[key] = entry }
        let waited = instant - entry.since
        if mayEnd(holder, waited: waited) {
            if let last = entry.terminatedAt, instant - last < Self.repeatAfter { return nil }
            entry.terminatedAt = instant
            return .terminate(holder)
        }
        // What was told to end has a moment for it beyond the limit.
        if waited >= lockTimeout, entry.terminatedAt == nil { return .giveUp(holder) }
        guard waited >= Self.quietStart, entry.reportedAt.map({ instant - $0 >= Self.reportInterval }) ?? true else {
            return nil
        }
        entry.reportedAt = instant
        return .report(holder)
    }

    private func mayEnd(_ holder: LockHolder, waited: Duration) -> Bool {
        guard holder.isOwnRole, holder.state != nil else { return false }
        if holder.isWriter {
            guard holder.name.hasPrefix("millrace writer") else { return false }
            return waited >= (run.owns(holder.name) ? lockTimeout : Self.grace)
        }
        guard holder.name.hasPrefix("millrace ledger") else { return false }
        return holder.quiet >= (holder.isActive ? statementTimeout + Self.deadAfter : Self.deadAfter)
    }
}
