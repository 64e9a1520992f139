/// The tables that are partitioned by month of `created_at`, all in schema `public`.
package enum PartitionedTable: String, Sendable, CaseIterable {
    case analyticsEvents = "analytics_events"
    case conversations

    /// `analytics_events_y2026m11`. Needs no quotes in SQL.
    package func partitionName(_ month: PartitionMonth) -> String { "\(rawValue)_\(month)" }

    /// One of its partitions as SQL names it, whatever an administrator has called it.
    func relation(_ partition: String) -> String { "public.\"\(partition.replacing("\"", with: "\"\""))\"" }

    /// What the writers fill, in the order in which the C++ encoder writes it (`mr_encoder`); a test compares the two.
    package var columns: [String] {
        switch self {
        case .analyticsEvents:
            ["id", "tenant_id", "event_type", "user_id", "payload", "created_at", "received_at", "batch_id"]
        case .conversations:
            [
                "id", "tenant_id", "conversation_id", "user_id", "question", "response", "source", "metadata",
                "created_at", "received_at", "batch_id",
            ]
        }
    }

    /// `columns` as SQL lists them.
    package var encodedColumns: String { columns.joined(separator: ", ") }
}
