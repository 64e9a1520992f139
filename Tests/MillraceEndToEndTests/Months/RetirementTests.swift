import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct RetirementTests {
        @Test func `a month is retired, its archive is what it held, and it comes back as it was`() throws {
            let months = try RetiredMonths()
            try months.fill(2000)
            let month = months.months[0]
            let before = (rows: try months.contents(), projections: try months.projections())

            let retired = try months.run("retire")
            #expect(retired.months.map(\.state) == ["dropped", "dropped"])
            #expect(retired.months.map(\.rows) == [2000, 5])
            #expect(try months.auditor.rows == 0)
            #expect(try months.projections() == before.projections)
            try months.auditor.verify(months.daemon)

            let manifest = try months.manifest(.analyticsEvents, month)
            #expect(manifest.rows == 2000 && manifest.parts.count > 3)
            #expect(manifest.first?.createdAt.hasPrefix(month.label + "-01T00:00:00.000000Z") == true)
            #expect(manifest.parts.reduce(0) { $0 + $1.rows } == 2000)

            // Again is nothing.
            #expect(try months.run("retire").months.map(\.state) == ["dropped", "dropped"])

            let restored = try months.run("restore")
            #expect(restored.months.map(\.state) == ["restored", "restored"])
            #expect(try months.contents() == before.rows)
            #expect(try months.projections() == before.projections)
            try months.auditor.verify(months.daemon)
            for pack in ["analytics", "conversations"] {
                #expect(try months.daemon.run("projections", "verify", pack).isSuccess)
            }
            let actions = try months.auditor.strings(
                "SELECT DISTINCT action FROM public.audit_log WHERE action LIKE 'partition.%' ORDER BY 1")
            #expect(
                actions == [
                    "partition.archive", "partition.attach", "partition.create", "partition.detach", "partition.drop",
                    "partition.restore", "partition.retire",
                ])
        }

        @Test func `late events of a retired or restored month are dead letters, until it is writable`() throws {
            let months = try RetiredMonths()
            try months.fill(10, saves: 0)
            let month = months.months[0]
            _ = try months.run("retire")
            #expect(try months.mishap.post([RetiredMonths.event(50, in: month)], isAwaited: true).status == 200)
            _ = try months.run("restore")
            #expect(try months.mishap.post([RetiredMonths.event(51, in: month)], isAwaited: true).status == 200)
            // A daemon that knew the month before it was retired finds it so, too.
            try months.daemon.kill()
            try months.daemon.start()
            try months.daemon.waitUntil("/readyz")
            #expect(try months.mishap.post([RetiredMonths.event(52, in: month)], isAwaited: true).status == 200)
            #expect(try months.auditor.events == 10)
            let codes = try months.auditor.strings("SELECT code FROM public.dead_letters")
            #expect(codes == ["month_retired", "month_retired", "month_retired"])
            let refused = try months.daemon.run("dead-letters", "retry", "--all")
            #expect(!refused.isSuccess || refused.output.contains("month_retired"), "\(refused.output)")
            #expect(try months.auditor.events == 10)

            #expect(try months.run("restore", options: ["--writable"]).months.map(\.state) == ["live"])
            let retry = try months.daemon.run("dead-letters", "retry", "--all")
            #expect(retry.isSuccess, "\(retry.output)\n\(retry.errors)")
            #expect(try months.auditor.events == 13)
            #expect(try months.mishap.post([RetiredMonths.event(53, in: month)], isAwaited: true).status == 200)
            #expect(try months.auditor.events == 14)
            try months.auditor.verify(months.daemon)
        }

        @Test func `a conversation that was deleted while its month was away comes back so, and counts follow`() throws
        {
            let months = try RetiredMonths()
            try months.fill(0, saves: 5)
            _ = try months.run("retire")
            let said = #"{"event_type":"conversations.conversation_deleted","payload":{"conversation_id":"c3"}}"#
            #expect(try months.mishap.post([said], isAwaited: true).status == 200)
            _ = try months.run("restore")
            let statuses = try months.auditor.strings(
                "SELECT conversation_id || ' ' || status FROM public.conversations ORDER BY 1")
            #expect(statuses == ["c0 active", "c1 active", "c2 active", "c3 deleted", "c4 active"])
            #expect(try months.daemon.run("projections", "verify", "conversations").isSuccess)
            let leaf = PartitionedTable.conversations.partitionName(months.months[0])
            let policies = try months.auditor.integer(
                "SELECT count(*) FROM pg_policy WHERE polrelid = '\(leaf)'::regclass AND polname = 'millrace_tenant'")
            #expect(policies == 1)
        }

        @Test func `DuckDB reads the archive as it is, with the count and the sums of the table`() throws {
            let months = try RetiredMonths(months: 2)
            try months.fill(500)
            let sums = """
                SELECT count(*) || ' ' || sum((payload->>'n')::bigint) || ' ' || count(DISTINCT user_id) || ' '
                    || sum((payload->>'amount')::numeric)::numeric(30,3)
                FROM public.analytics_events
                """
            let expected = try months.auditor.strings(sums)
            _ = try months.run("archive")
            #expect(try months.auditor.events == 1000)
            let script = """
                import duckdb, sys
                rows = duckdb.sql(f\"\"\"
                    SELECT count(*) || ' ' || sum(payload.n) || ' ' || count(DISTINCT user_id) || ' '
                        || sum(CAST(payload.amount AS DECIMAL(20,3)))
                    FROM read_ndjson('{sys.argv[1]}/analytics_events/*/*/*.ndjson.zst', hive_partitioning = true)
                    \"\"\").fetchone()
                print(rows[0])
                print(duckdb.sql(f"SELECT count(*) FROM read_ndjson('{sys.argv[1]}/conversations/*/*/*.zst')").fetchone()[0])
                """
            let output = months.daemon.directory + "/duckdb"
            let process = try SpawnedProcess(
                Python.path, ["-c", script, months.archive], mark: months.archive, output: output + ".out",
                errors: output + ".err")
            #expect(try process.waitForExit(within: .seconds(60)) == .status(0), "\(TextFile.read(output + ".err"))")
            #expect(TextFile.read(output + ".out") == expected[0] + "\n10\n")
            let manifests = try months.months.map { try months.manifest(.analyticsEvents, $0).rows }
            #expect(manifests == [500, 500])
        }

        @Test func `the policy retires what it no longer keeps, says so first, and leaves what was restored`() throws {
            let months = try RetiredMonths(months: 2)
            try months.fill(20)
            let age = "analytics_events=\(months.ageBetween) , conversations=1200mo"
            struct Plan: Decodable {
                struct Month: Decodable {
                    var table: String
                    var month: String
                }
                var months: [Month]
            }
            let set = ["--set", "partitions.retain=\(age)"]
            let dry = try months.daemon.run(["partitions", "retire", "--dry-run", "--json"] + set)
            let plan = try dry.report(Plan.self)
            #expect(plan.months.map(\.table) == ["analytics_events"])
            #expect(plan.months.map(\.month) == [months.months[0].label])
            #expect(try months.auditor.rows == 50)
            let run = try months.daemon.run(["partitions", "retire", "--json"] + set)
            #expect(try run.report(RetiredMonths.Report.self).months.map(\.state) == ["dropped"], "\(run.errors)")
            #expect(try months.auditor.events == 20)
            _ = try months.run("restore", months: [months.months[0]], options: ["--table", "analytics_events"])
            #expect(try months.daemon.run(["partitions", "retire"] + set).output == "nothing to do\n")
        }

        @Test func `the daemon retires and closes months by itself`() throws {
            let months = try RetiredMonths(
                settings: ["partitions.maintenance_interval": "\"1s\"", "partitions.retain": "\"analytics_events=1d\""])
            try months.fill(30)
            let month = months.months[0]
            #expect(try eventually { try months.state(.analyticsEvents, month) == "dropped" })
            #expect(
                try eventually {
                    try months.auditor.integer(
                        "SELECT count(*) FROM public.partition_months WHERE closed_at IS NOT NULL AND state = 'live'")
                        > 0
                })
            #expect(try months.manifest(.analyticsEvents, month).rows == 30)
            #expect(try months.auditor.events == 0)
            let metrics = try months.daemon.metrics()
            #expect((metrics.count("millrace_partitions_months_retired_total") ?? 0) >= 1)
            #expect((metrics.count("millrace_archive_bytes_written_total") ?? 0) > 0)
        }

        @Test func `what is not as the archive says is neither dropped nor restored`() throws {
            let months = try RetiredMonths()
            try months.fill(300, saves: 0)
            let month = months.months[0]
            #expect(try months.run("retire", options: ["--keep-table"]).months.map(\.state) == ["verified"])
            // Somebody writes into the table by itself: it is archived again.
            let leaf = PartitionedTable.analyticsEvents.partitionName(month)
            try months.mishap.execute(
                """
                INSERT INTO \(leaf) (id, event_type, created_at, batch_id)
                VALUES (gen_random_uuid(), 'by hand', '\(month.lowerBound)', 1)
                """)
            #expect(try months.run("retire").months.map(\.state) == ["dropped"])
            #expect(try months.manifest(.analyticsEvents, month).rows == 301)

            let part = months.path(.analyticsEvents, month) + "/part-0000.ndjson.zst"
            let whole = TextFile.bytes(part)
            for bytes in [Array(whole.dropLast(9)), whole + [0], []] {
                try Data(bytes).write(to: URL(filePath: part))
                let run = try months.daemon.run(["partitions", "restore", month.label])
                #expect(!run.isSuccess && run.output.contains("archive_damaged"), "\(run.output)")
                #expect(try months.auditor.events == 0)
            }
            try Data(whole).write(to: URL(filePath: part))
            #expect(try months.run("restore").months.map(\.state) == ["restored"])
            #expect(try months.auditor.events == 301)
        }

        @Test func `an archive goes through a command and comes back by another, and one that fails loses nothing`()
            throws
        {
            let store = try ScratchDirectory()
            let months = try RetiredMonths(
                settings: [
                    "archive.command_tries": "2",
                    "archive.command":
                        "'mkdir -p $(dirname \(store.path)/%f) && test ! -e \(store.path)/full && cp %p \(store.path)/%f'",
                    "archive.fetch_command": "'cp \(store.path)/%f %p'",
                ])
            try months.fill(200)
            let before = try months.contents()
            try TextFile.write("", to: store.path + "/full")
            let failed = try months.daemon.run(
                ["partitions", "retire", months.months[0].label, "--json"])
            let report = try failed.report(RetiredMonths.Report.self)
            #expect(!failed.isSuccess && report.months.allSatisfy { $0.error?.contains("archive_command") == true })
            #expect(try months.state(.analyticsEvents, months.months[0]) == "detached")
            try months.auditor.verify(months.daemon)
            unlink(store.path + "/full")
            let retired = try months.run("retire")
            #expect(retired.months.map(\.state) == ["dropped", "dropped"])
            #expect(
                retired.months[0].archive
                    == months.path(.analyticsEvents, months.months[0]).split(separator: "/").suffix(3).joined(
                        separator: "/"))
            // Nothing is left here of what is elsewhere.
            #expect(TextFile.read(months.path(.analyticsEvents, months.months[0]) + "/manifest.json").isEmpty)
            _ = try months.run("restore")
            #expect(try months.contents() == before)
        }
    }
}
