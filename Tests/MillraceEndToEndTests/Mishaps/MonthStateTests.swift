import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct MonthStateTests {
        private struct Listed: Decodable {
            struct Entry: Decodable {
                var table: String
                var name: String
                var state: String
                var fix: String?
            }
            var partitions: [Entry]

            func state(of name: String) -> String? { partitions.first { $0.name == name }?.state }
        }
        private struct Ensured: Decodable {
            var made: [String]
            var finalized: [String]
            var attached: [String]
            var left: [String]
        }

        @Test func `partitions list tells how each month stands, and ensure puts right what it may`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            let connection = try installation.database.connect()
            let partitions = Partitions(connection: connection)
            for month in 1...5 {
                let month = try #require(PartitionMonth(year: 2024, month: month))
                try partitions.ensure(month, of: .analyticsEvents)
            }
            try connection.execute(
                """
                ALTER TABLE analytics_events DETACH PARTITION analytics_events_y2024m01;
                ALTER TABLE analytics_events_y2024m02 RENAME TO february;
                ALTER TABLE analytics_events DETACH PARTITION analytics_events_y2024m04;
                DROP TABLE analytics_events_y2024m04;
                CREATE VIEW analytics_events_y2024m04 AS SELECT 1 AS one
                """)
            // A DETACH CONCURRENTLY that ends while it waits for a reader stays pending.
            let reader = try installation.database.connect()
            try reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM analytics_events")
            #expect(throws: PostgresError.self) {
                try connection.execute("SET statement_timeout = '1s'")
                try connection.execute(
                    "ALTER TABLE analytics_events DETACH PARTITION analytics_events_y2024m03 CONCURRENTLY")
            }
            try connection.execute("RESET statement_timeout")
            try reader.execute("ROLLBACK")

            let listed = try daemon.run("partitions", "list", "--json").report(Listed.self)
            #expect(listed.state(of: "analytics_events_y2024m01") == "detached")
            #expect(listed.state(of: "february") == "renamed")
            #expect(listed.state(of: "analytics_events_y2024m03") == "detach_pending")
            #expect(listed.state(of: "analytics_events_y2024m04") == "foreign")
            #expect(listed.state(of: "analytics_events_y2024m05") == "attached")
            #expect(listed.partitions.count { $0.state == "missing" } == 8)
            #expect(listed.partitions.allSatisfy { ($0.fix == nil) == ($0.state == "attached") })
            #expect(try daemon.run("partitions", "list").output.contains("RENAME TO analytics_events_y2024m02"))

            let run = try daemon.run("partitions", "ensure", "--attach", "2024-01", "--json")
            let ensured = try run.report(Ensured.self)
            #expect(ensured.finalized == ["analytics_events_y2024m03"])
            #expect(ensured.attached == ["analytics_events_y2024m01"])
            #expect(ensured.made.count == 8)
            #expect(ensured.left.count == 2 && run.exit == .status(1), "\(ensured.left)")
            let after = try daemon.run("partitions", "list", "--json").report(Listed.self)
            #expect(after.state(of: "analytics_events_y2024m01") == "attached")
            #expect(after.state(of: "analytics_events_y2024m03") == "detached")
        }

        @Test func `a detached month whose columns or rows do not fit is not attached`() throws {
            let installation = try Installation()
            let connection = try installation.database.connect()
            let month = try #require(PartitionMonth(year: 2024, month: 1))
            try Partitions(connection: connection).ensure(month, of: .analyticsEvents)
            try connection.execute(
                """
                ALTER TABLE analytics_events DETACH PARTITION analytics_events_y2024m01;
                ALTER TABLE analytics_events_y2024m01 ADD COLUMN more text
                """)
            let columns = try installation.daemon.run("partitions", "ensure", "--attach", "2024-01")
            #expect(columns.exit == .status(1) && columns.errors.contains("other columns"), "\(columns.errors)")
            try connection.execute(
                """
                ALTER TABLE analytics_events_y2024m01 DROP COLUMN more;
                ALTER TABLE analytics_events_y2024m01 DROP CONSTRAINT analytics_events_y2024m01_created_at_check;
                INSERT INTO analytics_events_y2024m01 (id, event_type, created_at, received_at, batch_id)
                VALUES (gen_random_uuid(), 'x', '2024-02-01 00:00:00+00', now(), 1)
                """)
            let rows = try installation.daemon.run("partitions", "ensure", "--attach", "2024-01")
            #expect(rows.exit == .status(1) && rows.errors.contains("outside"), "\(rows.errors)")
            try connection.execute("DELETE FROM analytics_events_y2024m01")
            #expect(try installation.daemon.run("partitions", "ensure", "--attach", "2024-01").isSuccess)
        }
    }
}
