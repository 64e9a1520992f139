import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct PackSeedTests {
        private static let packs = ["analytics", "conversations", "workspaces", "commerce", "casework", "product"]

        /// All rows of the pack `commerce` that a checkout writes.
        private static let state = """
            SELECT jsonb_agg(row ORDER BY row::text)::text
            FROM (
                SELECT to_jsonb(r) AS row FROM projections.commerce_orders AS r
                UNION ALL SELECT to_jsonb(r) FROM projections.commerce_order_items AS r
                UNION ALL SELECT to_jsonb(r) FROM projections.commerce_products AS r
                UNION ALL SELECT to_jsonb(r) FROM projections.commerce_stock_changes AS r
                UNION ALL SELECT to_jsonb(r) FROM projections.commerce_cart_items AS r
                UNION ALL SELECT to_jsonb(r) FROM projections.commerce_status_counts AS r
                UNION ALL SELECT to_jsonb(r) FROM projections.commerce_revenue_by_status AS r
            ) AS rows
            """

        @Test func `the seeds of all packs are folded, and a checkout's own events change nothing`() throws {
            let list = Self.packs.map { "\"\($0)\"" }.joined(separator: ", ")
            let installation = try Installation(
                settings: ["projections.packs": "[\(list)]", "outbox.poll": "\"20ms\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            let connection = try installation.database.connect()
            try daemon.start()
            var lines = 0
            for pack in Self.packs {
                let path = "\(Repository.root)/sql/packs/\(pack)/seed.ndjson"
                lines += TextFile.read(path).split(separator: "\n").count
                let run = try daemon.run("send", path)
                #expect(run.isSuccess, "\(pack): \(run.errors)")
            }
            try auditor.waitForRows(lines)
            #expect(try auditor.strings("SELECT pack || '.' || fold || ': ' || message FROM projections.parked") == [])
            #expect(
                try auditor.integer(
                    """
                    SELECT count(*) FROM public.ingest_batches
                    WHERE cardinality(folded) <> \(Self.packs.count)
                    """) == 0)
            for (view, rows) in Self.expected {
                #expect(try auditor.strings(view) == rows, "\(view)")
            }
            try checkOut(connection, auditor)
            try auditor.verify(daemon)
            let recount = try daemon.run("projections", "verify")
            #expect(recount.isSuccess, "\(recount.output) \(recount.errors)")
            #expect(try daemon.stop() == .status(0))
        }

        private func checkOut(_ connection: PostgresConnection, _ auditor: Auditor) throws {
            func checkout(_ user: Int) -> String {
                "SELECT total_amount FROM projections.commerce_checkout('5eed0000-0000-4000-8000-0000000000a\(user)', 'k')"
            }
            // In one transaction, so that the state is read before an event of it can be folded.
            let before = try connection.execute("BEGIN; \(checkout(2)); \(Self.state)").string(0, 0)
            try connection.execute("COMMIT")
            // Both want the last table.
            let refusal = try #require(throws: PostgresError.self) {
                try connection.execute(checkout(3).replacing("'k'", with: "'l'"))
            }
            #expect(refusal.sqlState?.rawValue == "MR001" && refusal.message.contains("1 wanted, 0 left"))
            let isEmpty = try eventually { try auditor.integer("SELECT count(*) FROM public.outbox") == 0 }
            #expect(isEmpty)
            #expect(
                try auditor.strings(
                    "SELECT event_type || ' ' || count(*) FROM public.analytics_events WHERE created_at >= "
                        + "(SELECT max(event_at) FROM projections.commerce_orders) GROUP BY event_type ORDER BY 1")
                    == [
                        "commerce.cart_item_deleted 2", "commerce.order_item_saved 2", "commerce.order_saved 1",
                        "commerce.stock_changed 2",
                    ])
            #expect(try connection.execute(Self.state).string(0, 0) == before)
            #expect(try auditor.integer("SELECT count(*) FROM projections.parked") == 0)
        }

        /// What the seeds say, counted by hand.
        private static let expected: [(String, [String])] = [
            (
                """
                SELECT sum(n)::bigint - (SELECT count(*) FROM public.analytics_events)
                FROM projections.analytics_hourly
                """, ["0"]
            ),
            (
                "SELECT (SELECT sum(n) FROM projections.analytics_top_types) - count(*) FROM public.analytics_events",
                ["0"]
            ),
            (
                "SELECT source || ' ' || sum(n) FROM projections.conversations_daily GROUP BY source ORDER BY 1",
                ["llm_streaming_agent 4", "mobile 4", "web 4"]
            ),
            ("SELECT n FROM projections.conversations_top_users ORDER BY n DESC", ["6", "4", "2"]),
            (
                "SELECT rating || ' ' || n FROM projections.conversations_ratings ORDER BY rating",
                ["3 1", "4 2", "5 2"]
            ),
            (
                "SELECT status || ' ' || n FROM projections.conversations_invitation_counts ORDER BY status",
                ["sent 1", "accepted 2", "revoked 1"]
            ),
            (
                """
                SELECT DISTINCT question FROM user_questions_complete
                WHERE document @@ websearch_to_tsquery('french', 'poule')
                """, ["Pourquoi mes poules ne pondent-elles plus ?"]
            ),
            (
                """
                SELECT DISTINCT question FROM user_questions_complete
                WHERE document @@ websearch_to_tsquery('english', 'eating chicken')
                """, ["What do chickens eat?"]
            ),
            (
                """
                SELECT status || ' ' || sum(n) FROM projections.workspaces_status_counts GROUP BY status
                ORDER BY status
                """, ["NOT_STARTED 2", "IN_PROGRESS 2", "COMPLETED 3"]
            ),
            ("SELECT id FROM projections.workspaces_urgent ORDER BY created_at DESC", ["5", "1"]),
            (
                "SELECT messages #>> '{0,content}' FROM projections.workspaces_with_messages WHERE id = 1", ["Merci !"]
            ),
            (
                "SELECT status || ' ' || n || ' ' || total_amount FROM projections.commerce_status_counts ORDER BY status",
                ["pending 1 39.90", "paid 2 64.40", "shipped 1 64.40", "cancelled 1 120.00"]
            ),
            (
                "SELECT bucket::date || ' ' || n || ' ' || total_amount FROM projections.commerce_revenue ORDER BY bucket",
                ["2026-11-10 2 104.30", "2026-11-11 1 24.50"]
            ),
            (
                """
                SELECT status || ' ' || sum(n) FROM projections.casework_document_counts GROUP BY status
                ORDER BY status
                """, ["draft 1", "submitted 3", "approved 1", "rejected 1"]
            ),
        ]
    }
}
