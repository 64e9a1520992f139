/// How one month of one table stands: what the catalog has under its name, or for its bounds.
package struct MonthStanding: Sendable, Hashable {
    package enum State: String, Sendable, CaseIterable {
        /// Rows go there and are seen.
        case attached
        /// A DETACH CONCURRENTLY was begun and not ended: queries on the parent no longer see it.
        case detachPending = "detach_pending"
        /// A table of the month's name that is no partition: a month on its way out, or one that somebody forgot.
        case detached
        /// Within the months ahead, and not there.
        case missing
        /// A partition with the month's bounds under another name; the writers find it, people and scripts may not.
        case renamed
        /// Something else stands under the month's name.
        case foreign
        /// There is its archive only.
        case archived
    }

    package var table: PartitionedTable
    package var name: String
    /// nil for a partition that is no month.
    package var month: PartitionMonth?
    package var state: State
    /// What it is instead, where that helps.
    package var detail: String?
    /// How far it is on its way out of its table, or back; nil for a month that is just live.
    package var record: MonthRecord?

    /// Whether somebody has to act: rows of this month can't be written or are not seen.
    package var isWrong: Bool {
        switch state {
        case .attached: isShutByMistake
        case .detached, .archived: false
        case .detachPending, .missing, .renamed, .foreign: true
        }
    }

    /// Somebody attached by hand what takes no rows.
    private var isShutByMistake: Bool {
        guard state == .attached, let record else { return false }
        return !record.state.takesRows && record.state != .restored && record.state != .attaching
            && record.state != .detaching
    }

    /// Whether it was begun to be retired or restored, and that is not ended.
    private var isUnfinished: Bool { record.map { !$0.isAtGoal && $0.state != .live } ?? false }

    /// The table as SQL names it, whatever an administrator has called it.
    var relation: String { table.relation(name) }

    /// The command that fixes it; nil when there is nothing to do.
    package var fix: String? {
        let label = month.map { "\($0.label)" } ?? name
        if isShutByMistake { return "millrace partitions restore --writable \(label) --table \(table.rawValue)" }
        if let record, isUnfinished {
            return "millrace partitions \(record.goal.command) \(label) --table \(table.rawValue)"
        }
        switch state {
        case .attached, .archived: return nil
        case .detached where record != nil: return nil
        case .detachPending: return "millrace partitions ensure (ends the DETACH that was begun)"
        case .detached:
            return
                "millrace partitions ensure --attach \(label), or DROP TABLE \(relation) when it is no longer wanted"
        case .missing: return "millrace partitions ensure"
        case .renamed:
            return month.map { "ALTER TABLE \(relation) RENAME TO \(table.partitionName($0))" }
        case .foreign: return "give \(detail ?? "it") another name, then millrace partitions ensure"
        }
    }
}
