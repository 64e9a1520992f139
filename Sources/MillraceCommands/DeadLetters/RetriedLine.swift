internal import MillraceEvent
internal import MillracePostgres

/// A letter whose line parses, and its row.
struct RetriedLine {
    /// The month that the row belongs to.
    struct Month: Hashable {
        var table: PartitionedTable
        var month: PartitionMonth

        var name: String { table.partitionName(month) }

        /// nil beyond the years that have months.
        init?(_ line: RetriedLine) {
            guard let month = PartitionMonth(microseconds: line.row.createdAt.microseconds) else { return nil }
            self.month = month
            table = line.row.table
        }
    }

    /// In its page.
    var index: Int
    var letter: StoredLetter
    var row: ParsedRow

    /// What makes the row one of its kind: `event_ids` knows ids alone.
    var identity: String {
        row.needsEventID ? "\(row.id)" : "\(row.table.rawValue) \(key)"
    }

    /// As the INSERTs return it.
    var key: String { "\(row.id) \(row.createdAt.microseconds)" }
}
