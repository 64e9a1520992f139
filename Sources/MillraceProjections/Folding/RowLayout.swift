internal import MillracePostgres

/// Where a row of binary COPY has its columns: in the encoder's order.
enum RowLayout {
    /// Where the columns are that every row is looked at for.
    struct Places {
        let count: Int
        let id: Int
        let createdAt: Int
        /// nil for conversations.
        let type: Int?
        let document: Int

        fileprivate init(_ table: PartitionedTable) {
            count = table.columns.count
            id = RowLayout.index(of: "id", in: table)
            createdAt = RowLayout.index(of: "created_at", in: table)
            type = table.columns.firstIndex(of: "event_type")
            document = RowLayout.document(of: table)
        }
    }

    static let events = Places(.analyticsEvents)
    static let conversations = Places(.conversations)
    static let columnsMax = PartitionedTable.allCases.map(\.columns.count).max() ?? 0

    static func index(of column: String, in table: PartitionedTable) -> Int {
        guard let index = table.columns.firstIndex(of: column) else {
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
