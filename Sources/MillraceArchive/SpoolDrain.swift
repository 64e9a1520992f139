package import MillraceEvent
package import MillracePostgres

/// Which daemons may still hold lines that were acknowledged before now, as each tells of itself after it was asked
/// (`DaemonTable.ask`). Lines that come later are not waited for.
package struct SpoolDrain {
    /// Spools whose daemons are passed over.
    private let passed: Set<UniqueID>
    /// The sequence after the last line that each spool held when it was asked.
    private var fences: [UniqueID: UInt64] = [:]
    private var drained: Set<UniqueID> = []

    package init(without passed: Set<UniqueID> = []) {
        self.passed = passed
    }

    /// The daemons that are not through yet, in their order. `standings` were read after `DaemonTable.ask`.
    package mutating func holders(_ standings: [DaemonStanding]) -> [DaemonStanding] {
        standings.filter { standing in
            let spool = standing.row.spoolID
            guard !passed.contains(spool), !drained.contains(spool) else { return false }
            if isThrough(standing) { drained.insert(spool) }
            return !drained.contains(spool)
        }
    }

    /// Of `standings` those that are passed over, and may hold lines.
    package func passedOver(_ standings: [DaemonStanding]) -> [DaemonStanding] {
        standings.filter { standing in
            passed.contains(standing.row.spoolID) && !(standing.state == .stopped && standing.row.isSettled)
        }
    }

    private mutating func isThrough(_ standing: DaemonStanding) -> Bool {
        // Who ended in order has told of all its lines; who has a session again has new ones.
        if standing.state == .stopped, !standing.hasSession { return standing.row.isSettled }
        guard standing.hasSession, standing.state != .stopped else { return false }
        if !standing.isAsked, fences[standing.row.spoolID] == nil {
            fences[standing.row.spoolID] = standing.row.spoolPosition
        }
        return fences[standing.row.spoolID].map { standing.row.settledPosition >= $0 } ?? false
    }
}

extension DaemonRow {
    /// Whether it told that all its lines are in the ledger for good.
    fileprivate var isSettled: Bool { settledPosition >= spoolPosition }
}

extension DaemonStanding {
    /// Who it is, and why it may hold lines.
    var holding: String {
        let who = "\(row.host) (spool \(row.spoolID))"
        let lines = row.waitingLines == 1 ? "1 line waits in its spool" : "\(row.waitingLines) lines wait in its spool"
        switch state {
        case .here: return "\(who): \(lines)"
        case .silent: return "\(who) tells nothing since \(seenAt.rfc3339)"
        case .stopped: return "\(who) was stopped, and \(lines)"
        case .away:
            return "\(who) is away since \(seenAt.rfc3339)" + (row.waitingLines > 0 ? ", and \(lines)" : "")
        }
    }
}
