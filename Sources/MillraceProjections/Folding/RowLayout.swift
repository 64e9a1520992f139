internal import MillracePostgres

/// Where a row of binary COPY has its columns: in the encoder's order.
enum RowLayout {
    static let columnsMax = 11

    static func columns(of table: PartitionedTable) -> [String] {
        switch table {
        case .analyticsEvents:
            ["id", "tenant_id", "event_type", "user_id", "payload", "created_at", "received_at", "batch_id"]
        case .conversations:
            [
                "id", "tenant_id", "conversation_id", "user_id", "question", "response", "source", "metadata",
                "created_at", "received_at", "batch_id",
            ]
        }
    }

    static func index(of column: String, in table: PartitionedTable) -> Int {
        guard let index = columns(of: table).firstIndex(of: column) else {
            preconditionFailure("PackLoader has let through a field that no row has: \(column)")
        }
        return index
    }

    /// The jsonb column.
    static func document(of table: PartitionedTable) -> Int {
        index(of: table == .analyticsEvents ? "payload" : "metadata", in: table)
    }

    static func element(of column: String) -> ArrayElement {
        switch column {
        case "id", "user_id": .uuid
        case "tenant_id": .int4
        case "created_at", "received_at": .timestamptz
        default: .text
        }
    }
}
