package import MillraceEvent

/// How `pg_stat_activity` names the sessions of one run of a daemon: `millrace writer 0 0192f3a4@1764435643123456`, the
/// part, the first eight digits of the spool's id, and when the run began in microseconds since 1970. 45 bytes at most,
/// of the 63 that PostgreSQL keeps.
package struct RunName: Sendable, Equatable {
    private let suffix: String

    package init(spool: UniqueID, startedAt: Timestamp) {
        suffix = "\(spool)".prefix(8) + "@\(startedAt.microseconds)"
    }

    /// Of the session of `part`, such as "ledger" or "writer 0".
    func session(_ part: String) -> String { "millrace \(part) \(suffix)" }

    /// Whether a session of that name belongs to this run.
    func owns(_ name: String) -> Bool { name.hasSuffix(" \(suffix)") }

    /// For LIKE: the sessions of this run. Neither digits nor `@` want quotes.
    var pattern: String { "millrace % \(suffix)" }
}
