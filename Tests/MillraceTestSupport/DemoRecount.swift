package import MillracePostgres
internal import MillraceProjections

/// What the demo pack's tables must hold, by plain SQL over the rows.
package enum DemoRecount {
    /// Names of the tables that differ from a recount of the events in `rows` that are not parked by the fold.
    package static func differences(over rows: String, on connection: PostgresConnection) throws -> [String] {
        var different: [String] = []
        for (name, kept, recount) in comparisons(rows) {
            let result = try connection.execute(
                """
                SELECT count(*)
                FROM ((TABLE kept EXCEPT TABLE recount) UNION ALL (TABLE recount EXCEPT TABLE kept)) AS difference
                """.replacing("TABLE kept", with: kept).replacing("TABLE recount", with: recount))
            if result.int(0, 0) != 0 { different.append(name) }
        }
        if try visitors(on: connection) != recountedVisitors(rows, on: connection) { different.append("visitors") }
        return different
    }

    private static func comparisons(_ rows: String) -> [(name: String, kept: String, recount: String)] {
        [
            (
                "by_day",
                "SELECT tenant_id, bucket, status, number, sum(n), sum(total) FROM projections.demo_by_day "
                    + "GROUP BY 1, 2, 3, 4",
                """
                SELECT tenant_id, date_trunc('day', created_at, 'UTC'), coalesce(payload ->> 'status', ''),
                    (payload ->> 'number')::numeric, count(*), coalesce(sum((payload ->> 'total')::numeric), 0)
                FROM \(rows)
                WHERE event_type LIKE 'order.%' AND payload ->> 'number' IS NOT NULL
                GROUP BY 1, 2, 3, 4
                """
            ),
            (
                "top_users", "SELECT tenant_id, user_id, n FROM projections.demo_top_users",
                "SELECT tenant_id, user_id, count(*) FROM \(rows) WHERE user_id IS NOT NULL GROUP BY 1, 2"
            ),
            (
                "orders",
                "SELECT tenant_id, id, event_at, event_id, deleted_at, status::text, total, saved_at, tags, note, user_id "
                    + "FROM projections.demo_orders",
                """
                SELECT tenant_id, key, created_at, id, CASE WHEN gone THEN created_at END,
                    CASE WHEN NOT gone THEN coalesce(payload ->> 'status', 'NEW') END,
                    CASE WHEN NOT gone THEN (payload ->> 'total')::numeric(12, 2) END,
                    CASE WHEN NOT gone THEN (payload ->> 'saved_at')::timestamptz END,
                    CASE WHEN NOT gone THEN nullif(payload -> 'tags', 'null') END,
                    CASE WHEN NOT gone THEN payload #>> '{tags,note}' END,
                    CASE WHEN NOT gone THEN user_id END
                FROM (
                    SELECT DISTINCT ON (tenant_id, (payload ->> 'id')::bigint)
                        *, (payload ->> 'id')::bigint AS key, event_type = 'order.deleted' AS gone
                    FROM \(rows)
                    WHERE event_type IN ('order.saved', 'order.deleted') AND payload ->> 'id' IS NOT NULL
                        AND id NOT IN (SELECT event_id FROM projections.parked WHERE fold = 'orders')
                    ORDER BY tenant_id, (payload ->> 'id')::bigint, created_at DESC, id DESC
                ) AS latest
                """
            ),
            (
                "orders_by_status",
                "SELECT tenant_id, status, bucket, sum(n), sum(total) FROM projections.demo_orders_by_status "
                    + "GROUP BY 1, 2, 3 HAVING sum(n) <> 0 OR sum(total) <> 0",
                """
                SELECT tenant_id, status, date_trunc('day', saved_at, 'UTC'), count(*), coalesce(sum(total), 0)
                FROM projections.demo_orders
                WHERE deleted_at IS NULL AND saved_at IS NOT NULL
                GROUP BY 1, 2, 3
                """
            ),
            (
                "lines", "SELECT tenant_id, event_id, event_at, order_id, text FROM projections.demo_lines",
                """
                SELECT tenant_id, id, created_at, (payload ->> 'id')::bigint, coalesce(payload ->> 'text', 'it''s empty')
                FROM \(rows)
                WHERE event_type = 'line.added'
                """
            ),
        ]
    }

    private static func visitors(on connection: PostgresConnection) throws -> [String: Int] {
        let kept = try connection.query(
            """
            SELECT concat_ws(' ', tenant_id, bucket, trim_scale(number)), (to_jsonb(v) ->> 'chunk'), sketch
            FROM projections.demo_visitors AS v
            """, answersBinary: true)
        var sketches: [String: HyperLogLog] = [:]
        for row in 0..<kept.rowCount {
            let isRead = kept.withBytes(row, 2) { bytes in
                bytes.map {
                    sketches[kept.string(row, 0) ?? "", default: HyperLogLog()].merge(row: $0, chunk: kept.int(row, 1))
                } ?? false
            }
            precondition(isRead, "every row of sketches can be read")
        }
        return sketches.mapValues(\.count)
    }

    private static func recountedVisitors(
        _ rows: String, on connection: PostgresConnection
    ) throws -> [String: Int] {
        let recount = try connection.execute(
            """
            SELECT concat_ws(' ', tenant_id, date_trunc('month', created_at, 'UTC'),
                trim_scale((payload ->> 'number')::numeric)), count(DISTINCT user_id)
            FROM \(rows)
            WHERE payload ->> 'number' IS NOT NULL AND user_id IS NOT NULL
            GROUP BY 1
            """)
        var counts: [String: Int] = [:]
        for row in 0..<recount.rowCount { counts[recount.string(row, 0) ?? ""] = recount.int(row, 1) }
        return counts
    }
}
