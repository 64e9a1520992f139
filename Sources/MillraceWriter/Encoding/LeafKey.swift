package import MillraceEvent
import MillracePostgres

/// Where rows go: a leaf partition, or the events whose partition only a look-up can tell.
package enum LeafKey: Sendable, Hashable {
    /// The partition of a month (UTC) of the table of `kind`.
    case month(RecordKind, year: Int, month: Int)
    /// Events whose `id` came without any time: their month is that of the first time they were seen (`event_ids`).
    case identifiedEvents
}

extension LeafKey {
    /// The partitioned table.
    var table: PartitionedTable {
        switch self {
        case .month(.conversation, year: _, month: _): .conversations
        case .month, .identifiedEvents: .analyticsEvents
        }
    }

    /// Nil for events whose partition only `event_ids` can tell.
    var partitionMonth: PartitionMonth? {
        switch self {
        case .month(_, let year, let month): PartitionMonth(year: year, month: month)
        case .identifiedEvents: nil
        }
    }

    /// Whether `event_ids` decides who was first.
    var needsEventID: Bool { self == .identifiedEvents }

    /// The partitioned table as SQL names it.
    var parent: String { "public.\(table.rawValue)" }

    /// The temporary table of the careful way.
    var stage: String { "pg_temp.millrace_stage_\(table.rawValue)" }

    /// In the encoder's order.
    var columns: String { table.encodedColumns }
}
