import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ImportTests {
        private struct Report: Decodable {
            struct Count: Decodable {
                var kind: String
                var records: Int
            }

            struct Problem: Decodable {
                var file: String
                var line: Int
                var column: Int
                var index: Int?
                var code: String
            }

            var kinds: [Count]
            var total: Int
            var bad: Int
            var problems: [Problem]
            var secretsDropped: Int
        }

        /// The rows of the events, without what every arrival has of its own.
        private static let rows = """
            SELECT format('%s %s %s %s %s', id, event_type, user_id, payload, created_at)
            FROM public.analytics_events ORDER BY created_at, id
            """

        /// Arrays of a workspaces system; times are of this year's last days, as the daemon takes them.
        private func workspaces(_ installation: Installation) throws -> String {
            let time = try #require(
                try installation.auditor.strings(
                    "SELECT to_char(now() AT TIME ZONE 'UTC' - interval '2 days', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"
                ).first)
            func array(_ count: Int, _ record: (Int) -> String) -> String {
                (1...count).map { id in
                    "{\"id\":\(id),\(record(id)),\"createdAt\":\"\(time)\",\"updatedAt\":\"\(time)\"}"
                }.joined(separator: ",\n    ")
            }
            return """
                {
                  "users": [\(array(1) { _ in "\"username\":\"a\",\"email\":\"a@example.org\",\"password\":\"hunter2\"" })],
                  "templates": [\(array(5) { "\"userId\":1,\"name\":\"T\($0)\",\"body\":\"B\"" })],
                  "signatures": [\(array(2) { "\"userId\":1,\"name\":\"S\($0)\",\"content\":\"é\\n\"" })],
                  "workspaces": [\(array(29) { "\"userId\":1,\"title\":\"W\($0)\",\"status\":\"in_progress\",\"priority\":\"HIGH\"" })]
                }
                """
        }

        @Test func `an export imported twice is there once, and the summary tells the kinds`() throws {
            let installation = try Installation(settings: ["projections.packs": "[\"workspaces\"]"])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            let scratch = try ScratchDirectory()
            let file = scratch.path + "/export.json.gz"
            try TextFile.write(Compression.gzip.compress(Array(workspaces(installation).utf8)), to: file)
            let arguments = ["import", file, "--ack", "committed", "--quiet", "--config", daemon.configuration]

            let dry = try CommandRun(arguments + ["--dry-run"], in: scratch)
            #expect(dry.isSuccess, "\(dry.errors)")
            #expect(dry.output.contains("would import: users 1, templates 5, signatures 2, workspaces 29, total 37 in"))
            #expect(try auditor.rows == 0)

            let first = try CommandRun(arguments, in: scratch)
            #expect(first.isSuccess, "\(first.errors)")
            #expect(first.output.contains("imported: users 1, templates 5, signatures 2, workspaces 29, total 37 in"))
            #expect(first.output.contains("1 passwords and other secrets were left out"))
            let rows = try auditor.strings(Self.rows)
            #expect(rows.count == 37)
            #expect(!rows.joined().contains("hunter2"))
            #expect(
                try auditor.integer(
                    "SELECT count(*) FROM public.analytics_events WHERE payload->>'status' = 'IN_PROGRESS'")
                    == 29)
            #expect(try auditor.strings("SELECT fold || ': ' || message FROM projections.parked") == [])
            for (table, count) in [("users", 1), ("templates", 5), ("signatures", 2), ("workspaces", 29)] {
                let rows = try auditor.integer("SELECT count(*) FROM projections.workspaces_\(table)")
                #expect(rows == count, "\(table)")
            }
            #expect(
                try auditor.strings("SELECT status || ' ' || n FROM projections.workspaces_status_counts")
                    == ["IN_PROGRESS 29"])

            let second = try CommandRun(arguments + ["--json"], in: scratch)
            #expect(second.isSuccess)
            #expect(try second.report(Report.self).total == 37)
            #expect(try auditor.strings(Self.rows) == rows)
            try auditor.verify(daemon)
        }

        @Test func `bad records are listed with file and position, and the rest goes in`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let scratch = try ScratchDirectory()
            let (products, carts) = (scratch.path + "/products.json", scratch.path + "/carts.ndjson")
            try TextFile.write(
                """
                [{"id":"0b0c9cf3-90a9-4b33-8d8c-1f4a6d3c9a10","name":"ok"},
                 {"id":"0b0c9cf3-90a9-4b33-8d8c-1f4a6d3c9a11","name":"\\u0000"},
                 {"id":12,"name":"no UUID"}, {"id":
                """, to: products)
            try TextFile.write(
                "{\"id\":\"6f0f3f5e-9a3d-4c55-8a39-3d4f9d8c1b21\",\"items\":[{\"productId\":7}]}\nnonsense\n", to: carts
            )
            let run = try CommandRun(
                ["import", products, carts, "--ack", "committed", "--json", "--config", daemon.configuration],
                in: scratch)
            #expect(run.exit == .status(1))
            let report = try run.report(Report.self)
            #expect(report.total == 2)
            #expect(
                report.problems.map(\.code) == [
                    "unsupported_text", "invalid_id", "invalid_json", "invalid_product_id", "not_an_object",
                ])
            #expect(report.problems.map(\.line) == [2, 3, 3, 1, 2])
            #expect(report.problems.map(\.column) == [2, 2, 30, 1, 1])
            #expect(report.problems.map(\.file) == [products, products, products, carts, carts])
            #expect(
                try auditor.strings("SELECT event_type FROM public.analytics_events ORDER BY 1") == [
                    "commerce.cart_saved", "commerce.product_saved",
                ])
        }

        @Test func `an import goes on over a kill of the daemon`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let scratch = try ScratchDirectory()
            let count = 50_000
            let body = String(repeating: "x", count: 100)
            let lines = (0..<count).map { "{\"id\":\($0),\"name\":\"n\($0)\",\"body\":\"\(body)\"}\n" }.joined()
            let file = try HeldInput(Array(lines.utf8), at: scratch.path + "/templates.ndjson")
            let importing = try SpawnedProcess(
                MillraceBinary.path, ["import", file.path, "--json", "--quiet", "--config", daemon.configuration],
                mark: file.path, output: scratch.path + "/out", errors: scratch.path + "/err")
            #expect(eventually(within: .seconds(30)) { ((try? auditor.settled) ?? 0) > 500 })
            try daemon.kill()
            #expect(importing.isRunning)
            file.release()
            try daemon.start()
            #expect(try importing.waitForExit(within: .seconds(120)) == .status(0))
            try file.finish()
            #expect(try CommandRun.decode(Report.self, from: TextFile.read(scratch.path + "/out")).total == count)
            try auditor.waitForRows(count)
            #expect(try auditor.events == count)
            try auditor.verify(daemon)
        }

        @Test func `users that may be anybody's are wrong use`() throws {
            let scratch = try ScratchDirectory()
            let file = scratch.path + "/users.json"
            try TextFile.write("[{\"id\":1}]", to: file)
            let run = try CommandRun(["import", file, "--dry-run"], in: scratch)
            #expect(run.exit == .status(2))
            #expect(run.errors.contains("--system"))
            #expect(try CommandRun(["import", file, "--dry-run", "--system", "casework"], in: scratch).isSuccess)
        }
    }
}
