internal import ArgumentParser
internal import MillraceEvent
internal import MillracePostgres

/// What `--table` names.
enum ExportTable: String, CaseIterable, ExpressibleByArgument {
    case events
    case conversations
    case all

    var tables: [PartitionedTable] {
        switch self {
        case .events: [.analyticsEvents]
        case .conversations: [.conversations]
        case .all: [.analyticsEvents, .conversations]
        }
    }
}
