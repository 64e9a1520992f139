/// A row of `tenants`.
package struct StoredTenant: Sendable, Equatable {
    package var id: Int32
    package var name: String
    /// Microseconds since the epoch.
    package var createdAt: Int64
}

/// The statements on `public.tenants`, over one session. Blocks.
package struct TenantTable {
    package let connection: PostgresConnection

    package init(connection: PostgresConnection) {
        self.connection = connection
    }

    /// By their numbers.
    package func all() throws(PostgresError) -> [StoredTenant] {
        let result = try connection.execute(
            """
            SELECT id, name, (EXTRACT(EPOCH FROM created_at) * 1000000)::bigint
            FROM public.tenants
            ORDER BY id
            """)
        return (0..<result.rowCount).map { row in
            StoredTenant(
                id: Int32(clamping: result.count(row, 0)), name: result.string(row, 1) ?? "",
                createdAt: Int64(result.count(row, 2)))
        }
    }

    /// Makes one of this name, with `id` or the next free number, and returns it. In a transaction, so that two who
    /// do so at once get two numbers. Throws a `PostgresError` of a unique violation where name or number is taken.
    package func insert(name: String, id: Int32? = nil) throws(PostgresError) -> StoredTenant {
        try connection.execute("LOCK TABLE public.tenants IN SHARE ROW EXCLUSIVE MODE")
        let result = try connection.query(
            """
            INSERT INTO public.tenants (id, name)
            SELECT COALESCE($1::integer, max(id) + 1, 1), $2
            FROM public.tenants
            RETURNING id, (EXTRACT(EPOCH FROM created_at) * 1000000)::bigint
            """, parameters: [id.map { .integer($0) }, .text(name)])
        return StoredTenant(
            id: Int32(clamping: result.count(0, 0)), name: name, createdAt: Int64(result.count(0, 1)))
    }
}
