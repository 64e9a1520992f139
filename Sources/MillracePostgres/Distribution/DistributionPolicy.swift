/// `database.distribution`: where the rows of events and conversations lie.
package enum DistributionPolicy: String, Sendable, CaseIterable {
    /// In the one server.
    case none
    /// On the workers of a Citus cluster, whose coordinator `database.url` names.
    case citus
}

/// A table that Citus distributes, by a hash of `id`; all others stay on the coordinator.
package enum DistributedTable: String, Sendable, CaseIterable {
    case analyticsEvents = "analytics_events"
    case conversations
    case eventIDs = "event_ids"

    /// The column that every unique key of the table has in it.
    package static let column = "id"

    /// As SQL names it.
    package var relation: String { "public.\(rawValue)" }
}
