internal import MillraceEvent
package import MillracePostgres
package import MillraceProjections

/// Rows in every table that is read, as many as make a scan slow, so that plans can be looked at. All are of tenant 0, which
/// is when a scan tempts the planner most.
package enum ManyRows {
    package static let count = 50_000

    /// Of texts that have to be something.
    private static let texts = [
        "email": "'u' || n || '@example.com'", "username": "'u' || n", "role": "'user'", "idempotency_key": "'k' || n",
        "payment_intent_id": "'p' || n", "name": "'Thing ' || md5(n::text)", "conversation_id": "'c' || n % 5000",
    ]

    /// Fills the tables of `packs`, which are installed and empty, and those of events and conversations, two months of them.
    package static func fill(_ packs: [PackDefinition], on connection: PostgresConnection) throws {
        let start = Timestamp.now.advanced(by: .seconds(-62 * 86_400))
        try Partitions(connection: connection).ensureAhead(months: 3, from: start.microseconds)
        try connection.execute(
            """
            INSERT INTO public.analytics_events (id, event_type, user_id, payload, created_at, batch_id)
            SELECT md5(n::text)::uuid, 'type ' || n % 20, md5((n % 500)::text)::uuid,
                jsonb_build_object('n', n, 'email', 'u' || n || '@example.com'), now() - n * interval '90 seconds', 1
            FROM generate_series(1, \(count)) AS n;
            INSERT INTO public.conversations (id, conversation_id, user_id, question, response, created_at, batch_id)
            SELECT md5(n::text)::uuid, 'c' || n % 5000, md5((n % 500)::text)::uuid, 'Question ' || n, 'Answer ' || n,
                now() - n * interval '90 seconds', 1
            FROM generate_series(1, \(count)) AS n
            """, timeout: .seconds(300))
        for pack in packs {
            let tables = try CatalogTable.read(schema: "projections", prefix: pack.name + "_", on: connection)
            for fold in pack.folds {
                // Sketches are few rows, whatever the number of events.
                guard let table = tables[fold.table], table.column("sketch") == nil else { continue }
                let columns = table.columns.filter { $0.name != "deleted_at" && $0.fallback != "generated" }
                try connection.execute(
                    """
                    INSERT INTO projections.\(table.name) (\(columns.map(\.name).joined(separator: ", ")))
                    SELECT \(columns.map { value(of: $0, in: table) }.joined(separator: ", "))
                    FROM generate_series(1, \(count)) AS n
                    """, timeout: .seconds(300))
            }
        }
        try connection.execute("ANALYZE", timeout: .seconds(300))
    }

    private static func value(of column: CatalogTable.Column, in table: CatalogTable) -> String {
        let isBucketed = table.column("bucket") != nil
        switch column.name {
        case "tenant_id": return "0"
        // Where nothing else tells rows of a bucket apart.
        case "slot": return table.primaryKey.count == 3 ? "n % 20" : "0"
        case "bucket": return "date_trunc('hour', now(), 'UTC') - (n / 20) * interval '1 hour'"
        case "event_id": return "md5('event ' || n)::uuid"
        case "rating": return "n % 5 + 1"
        default: break
        }
        // One cart a user, one row a user of a ranking.
        let isOneEach = table.primaryKey.contains(column.name) && !isBucketed || table.name == "commerce_carts"
        let number = isOneEach || column.name == "product_id" || column.name == "n" ? "n" : "n % 500"
        switch column.category {
        case "S": return isOneEach ? "'c' || n" : texts[column.name] ?? "'x' || n % 20"
        case "E": return "(enum_range(NULL::\(column.type)))[1 + n / 7 % cardinality(enum_range(NULL::\(column.type)))]"
        case "D": return "now() - n * interval '1 minute'"
        case "B": return "n % 10 > 0"
        case "N":
            return column.type == "bigint" || column.type == "numeric" ? number : "n % 100 + 1"
        default:
            if column.type == "uuid" { return "md5((\(number))::text)::uuid" }
            return column.name == "tags" || column.name == "variables" ? "'[]'" : "'{}'"
        }
    }
}
