import Crypto
import FoundationEssentials
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What the daemon does with months by itself, and when; what an archive says of itself.
    struct MonthCloseTests {
        @Test func `a month that is over gets its index, and is vacuumed and frozen once`() throws {
            let months = try RetiredMonths(
                settings: ["partitions.maintenance_interval": "\"1s\"", "partitions.payload_index": "\"closed\""])
            try months.fill(400, saves: 0)
            let leaf = PartitionedTable.analyticsEvents.partitionName(months.months[0])
            let closed =
                "SELECT closed_at::text FROM public.partition_months WHERE relation = '\(leaf)' AND closed_at IS NOT NULL"
            #expect(try eventually { try !months.auditor.strings(closed).isEmpty })
            let frozen = try months.auditor.strings(
                """
                SELECT concat_ws(
                    ' ', relpages = relallvisible, age(relfrozenxid) < (SELECT min(age(xmin)) FROM \(leaf)), reltuples)
                FROM pg_class
                WHERE oid = '\(leaf)'::regclass
                """)
            #expect(frozen == ["t t 400"])
            #expect(try months.auditor.integer("SELECT count(*) FROM pg_stats WHERE tablename = '\(leaf)'") > 0)
            // Of this month nothing yet.
            let current = PartitionedTable.analyticsEvents.partitionName(try Mishap.month())
            let indexes = { (name: String) in
                "SELECT count(*) FROM pg_indexes WHERE tablename = '\(name)' AND indexdef LIKE '%gin (payload%'"
            }
            #expect(try eventually { try months.auditor.integer(indexes(leaf)) == 1 })
            #expect(try months.auditor.integer(indexes(current)) == 0)
            // Once: the look that closes another month finds nothing to do here.
            let at = try months.auditor.strings(closed)
            #expect(try months.mishap.post([Mishap.event(in: -3)], isAwaited: true).status == 200)
            let other = PartitionedTable.analyticsEvents.partitionName(try Mishap.month(-3))
            #expect(try eventually { try months.auditor.integer(vacuums(other)) == 1 })
            #expect(try months.auditor.strings(closed) == at)
            #expect(try months.auditor.integer(vacuums(leaf)) == 1)
        }

        private func vacuums(_ leaf: String) -> String {
            "SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = '\(leaf)'"
        }

        @Test func `outside of the quiet hours a month that is due stays, and is told as overdue`() throws {
            let days = (Timestamp.now.microseconds - (try Mishap.month(-2)).upperMicroseconds) / 86_400_000_000
            let hour = (Timestamp.now.microseconds / 3_600_000_000) % 24
            let quiet = (from: (hour + 6) % 24, to: (hour + 7) % 24)
            let months = try RetiredMonths(
                settings: [
                    "partitions.maintenance_interval": "\"1s\"",
                    // Due for a day or two; the patience is three.
                    "partitions.retain": "\"analytics_events=\(days - 1)d\"",
                    "partitions.quiet_hours": "\"\(Self.clock(quiet.from))-\(Self.clock(quiet.to))\"",
                ])
            try months.fill(10)
            #expect(
                try eventually { try months.daemon.metrics().count("millrace_partitions_months_overdue") == 1 })
            #expect(try months.state(.analyticsEvents, months.months[0]) == nil)
            #expect(try months.daemon.metrics().count("millrace_partitions_months_retired_total") == 0)
            // A command does not ask what time it is.
            let plan = try months.daemon.run("partitions", "retire", "--dry-run")
            #expect(plan.output.contains(months.months[0].label), "\(plan.output)")
            #expect(try months.daemon.run("partitions", "retire").isSuccess)
            #expect(try months.state(.analyticsEvents, months.months[0]) == "dropped")
        }

        private static func clock(_ hour: Int64) -> String { (hour < 10 ? "0" : "") + "\(hour):00" }

        private struct Manifest: Decodable {
            struct Part: Decodable {
                var file: String
                var rows: Int
                var bytes: Int
                var compressedBytes: Int
                var sha256: String
            }
            struct Row: Decodable, Equatable {
                var createdAt: String
                var id: String
            }
            struct Column: Decodable {
                var name: String
                var type: String
            }
            struct Projection: Decodable {
                var pack: String
                var version: Int
            }
            var format: Int
            var table: String
            var month: String
            var rows: Int
            var first: Row?
            var last: Row?
            var parts: [Part]
            var columns: [Column]
            var schema: Int
            var projections: [Projection]
            var postgresql: String
            var millrace: String
            var writtenAt: String
        }

        @Test func `a manifest says what its archive holds, and of what it was made`() throws {
            let months = try RetiredMonths()
            try months.fill(700)
            let month = months.months[0]
            let row = { (order: String) in
                """
                SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || ' ' || id
                FROM public.analytics_events
                ORDER BY created_at \(order), id \(order)
                LIMIT 1
                """
            }
            let (first, last) = (try months.auditor.strings(row("ASC")), try months.auditor.strings(row("DESC")))
            _ = try months.run("archive")
            let path = months.path(.analyticsEvents, month)
            let manifest = try CommandRun.decode(Manifest.self, from: TextFile.read(path + "/manifest.json"))
            #expect(manifest.format == 1 && manifest.table == "analytics_events" && manifest.month == month.label)
            #expect(manifest.rows == 700)
            #expect(manifest.first.map { ["\($0.createdAt) \($0.id)"] } == first)
            #expect(manifest.last.map { ["\($0.createdAt) \($0.id)"] } == last)
            #expect(manifest.parts.count > 1)
            for part in manifest.parts {
                let bytes = TextFile.bytes("\(path)/\(part.file)")
                #expect(bytes.count == part.compressedBytes && part.bytes > part.compressedBytes)
                #expect(
                    SHA256.hash(data: bytes).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
                        == part.sha256)
            }
            let names = try months.auditor.strings(
                """
                SELECT attname || ' ' || format_type(atttypid, atttypmod)
                FROM pg_attribute
                WHERE attrelid = 'public.analytics_events'::regclass AND attnum > 0 AND NOT attisdropped
                ORDER BY attnum
                """)
            #expect(manifest.columns.map { "\($0.name) \($0.type)" } == names)
            #expect(
                manifest.schema
                    == (try months.auditor.integer("SELECT max(version) FROM public.millrace_migrations")))
            let versions = try months.auditor.strings(
                "SELECT pack || ' ' || version FROM projections.versions WHERE state = 'live' ORDER BY 1")
            #expect(manifest.projections.map { "\($0.pack) \($0.version)" }.sorted() == versions && !versions.isEmpty)
            #expect(try months.auditor.strings("SHOW server_version") == [manifest.postgresql])
            #expect(!manifest.millrace.isEmpty && manifest.writtenAt.hasSuffix("Z"))

            // The list says where it is.
            let list = try months.daemon.run("partitions", "list").output
            #expect(list.contains(path), "\(list)")
        }

        @Test func `a month whose verified archive is gone or changed is archived again before its table is dropped`()
            throws
        {
            let months = try RetiredMonths()
            try months.fill(300, saves: 0)
            let month = months.months[0]
            let before = try months.contents()
            #expect(try months.run("retire", options: ["--keep-table"]).months.map(\.state).contains("verified"))
            let part = months.path(.analyticsEvents, month) + "/part-0000.ndjson.zst"
            var bytes = TextFile.bytes(part)
            bytes[bytes.count / 2] ^= 1
            try Data(bytes).write(to: URL(filePath: part))
            #expect(try months.run("retire").months.allSatisfy { $0.state == "dropped" })
            _ = try months.run("restore")
            #expect(try months.contents() == before)
        }
    }
}
