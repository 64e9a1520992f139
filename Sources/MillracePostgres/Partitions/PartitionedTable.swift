/// The tables that are partitioned by month of `created_at`, all in schema `public`.
package enum PartitionedTable: String, Sendable, CaseIterable {
    case analyticsEvents = "analytics_events"
    case conversations

    /// `analytics_events_y2026m11`. Needs no quotes in SQL.
    package func partitionName(_ month: PartitionMonth) -> String { "\(rawValue)_\(month)" }
}
