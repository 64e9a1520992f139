import MillraceEvent
import MillracePostgres

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
