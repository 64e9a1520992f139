/// A primary key that a migration gives to a table, and to all its months.
package struct PrimaryKey: Sendable, Hashable {
    /// With its schema.
    package let table: String
    package let columns: [String]

    package init(of table: String, _ columns: [String]) {
        self.table = table
        self.columns = columns
    }
}

extension PrimaryKey {
    /// What comes from outside may have the same ids in each tenant.
    static let withTenants = [
        PrimaryKey(of: "public.analytics_events", ["created_at", "id", "tenant_id"]),
        PrimaryKey(of: "public.conversations", ["created_at", "id", "tenant_id"]),
        PrimaryKey(of: "public.event_ids", ["id", "tenant_id"]),
        PrimaryKey(of: "public.outbox", ["created_at", "id", "tenant_id"]),
    ]

    static let withoutTenants = withTenants.map { key in
        PrimaryKey(of: key.table, key.columns.filter { $0 != "tenant_id" })
    }
}
