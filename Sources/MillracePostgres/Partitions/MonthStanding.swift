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
    }

    package var table: PartitionedTable
    package var name: String
    /// nil for a partition that is no month.
    package var month: PartitionMonth?
    package var state: State
    /// What it is instead, where that helps.
    package var detail: String?

    /// Whether somebody has to act: rows of this month can't be written or are not seen.
    package var isWrong: Bool { state != .attached && state != .detached }

    /// The table as SQL names it, whatever an administrator has called it.
    var relation: String { table.relation(name) }

    /// The command that fixes it; nil when there is nothing to do.
    package var fix: String? {
        let label = month.map { "\($0.label)" } ?? name
        switch state {
        case .attached: return nil
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
