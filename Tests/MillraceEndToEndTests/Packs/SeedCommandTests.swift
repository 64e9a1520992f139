import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct SeedCommandTests {
        private static let packs = ["analytics", "casework", "commerce", "conversations", "product", "workspaces"]

        private struct Seeded: Decodable {
            struct Entry: Decodable {
                var pack: String
                var events: Int
                var conversations: Int
                var wasThere: Bool
            }
            var seeded: [Entry]
        }

        private struct Removed: Decodable {
            struct Entry: Decodable {
                var pack: String
                var events: Int
                var conversations: Int
            }
            var removed: [Entry]
            var rebuilt: [String]
        }

        /// The rows of events and of all packs: of counts their sums, since slots are of whoever folded, and no sketches, which
        /// `projections verify` compares.
        private static func state(_ auditor: Auditor) throws -> [String] {
            let tables = try auditor.strings(
                """
                SELECT format('%I.%I', schemaname, tablename)
                FROM pg_tables
                WHERE schemaname = 'projections' AND tablename NOT IN ('versions', 'parked')
                UNION ALL VALUES ('public.analytics_events'), ('public.conversations'), ('public.event_ids')
                """)
            let rows = tables.map { "SELECT '\($0)' AS name, to_jsonb(r) - 'slot' - 'seen_at' AS row FROM \($0) AS r" }
            return try auditor.strings(
                """
                SELECT name || ' ' || (row - 'n' - 'total_amount')::text || ' ' || sum(COALESCE((row ->> 'n')::numeric, 1))
                    || ' ' || COALESCE(sum((row ->> 'total_amount')::numeric), 0)
                FROM (\(rows.joined(separator: " UNION ALL "))) AS rows
                WHERE NOT row ? 'sketch'
                GROUP BY name, row - 'n' - 'total_amount'
                HAVING sum(COALESCE((row ->> 'n')::numeric, 1)) <> 0
                ORDER BY 1
                """)
        }

        private static func settings(_ packs: [String]) -> [String: String] {
            ["projections.packs": "[\(packs.map { "\"\($0)\"" }.joined(separator: ", "))]"]
        }

        private func expectClean(_ daemon: DaemonProcess, _ auditor: Auditor) throws {
            try auditor.verify(daemon)
            let recount = try daemon.run("projections", "verify")
            #expect(recount.isSuccess, "\(recount.output) \(recount.errors)")
        }

        @Test func `every pack is seeded once while no daemon runs, and unseeded to nothing`() throws {
            let installation = try Installation(settings: Self.settings(Self.packs))
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            let empty = try Self.state(auditor)

            let first = try daemon.run("migrate", "seed", "--json")
            #expect(first.isSuccess, "\(first.errors)")
            let seeded = try first.report(Seeded.self).seeded
            #expect(seeded.map(\.pack).sorted() == Self.packs)
            for entry in seeded {
                let lines = TextFile.read("\(Repository.root)/sql/packs/\(entry.pack)/seed.ndjson")
                #expect(entry.events + entry.conversations == lines.split(separator: "\n").count, "\(entry.pack)")
                #expect(!entry.wasThere)
            }
            let rows = try auditor.rows
            #expect(rows == seeded.reduce(0) { $0 + $1.events + $1.conversations })
            #expect(
                try auditor.strings("SELECT message FROM projections.parked") == [])
            #expect(
                try auditor.strings("SELECT status::text FROM projections.workspaces_workspaces WHERE id = 2")
                    == ["COMPLETED"])
            try expectClean(daemon, auditor)

            let second = try daemon.run("migrate", "seed", "--json").report(Seeded.self).seeded
            #expect(second.allSatisfy { $0.wasThere })
            #expect(try auditor.rows == rows)

            let run = try daemon.run("migrate", "unseed", "--json")
            #expect(run.isSuccess, "\(run.errors)")
            let removed = try run.report(Removed.self)
            #expect(removed.removed.reduce(0) { $0 + $1.events + $1.conversations } == rows)
            #expect(removed.rebuilt.sorted() == Self.packs)
            #expect(try Self.state(auditor) == empty)
            #expect(try auditor.integer("SELECT count(*) FROM public.ingest_batches") == 0)
            #expect(try auditor.integer("SELECT count(*) FROM public.ingest_spools") == 0)
            try expectClean(daemon, auditor)

            // The ids are free again.
            #expect(try daemon.run("migrate", "seed").isSuccess)
            #expect(try auditor.rows == rows)
        }

        @Test func `beside other events it wants a yes, and unseed leaves these as they were`() throws {
            let installation = try Installation(settings: Self.settings(Self.packs))
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            // One of them is counted with a seed's type, user and day.
            let own = """
                {"event_type":"page.viewed","user_id":"5eed0000-0000-4000-8000-0000000000a2","payload":{"path":"/own"}}
                {"event_type":"workspaces.user_saved","payload":{"id":77,"username":"own","email":"own@example.com"}}
                {"conversation_id":"own","user_id":"5eed0000-0000-4000-8000-0000000000a1","question":"Own?","response":"Yes"}
                """
            #expect(
                try HTTPClient(daemon.http).postEvents(Array(own.utf8), query: "?ack=committed").status == 200)
            let before = try Self.state(auditor)

            let asked = try daemon.run("migrate", "seed")
            #expect(asked.exit == .status(1))
            #expect(asked.errors.contains("beside 3 rows") && asked.errors.contains("--yes"), "\(asked.errors)")
            #expect(try Self.state(auditor) == before)
            let seeded = try daemon.run("migrate", "seed", "--yes")
            #expect(seeded.isSuccess, "\(seeded.errors)")
            #expect(
                try auditor.integer("SELECT n FROM projections.conversations_top_users ORDER BY n DESC LIMIT 1") == 7)
            try expectClean(daemon, auditor)

            #expect(try daemon.run("migrate", "unseed").errors.contains("--yes"))
            let unseeded = try daemon.run("migrate", "unseed", "--yes")
            #expect(unseeded.isSuccess, "\(unseeded.errors)")
            #expect(try Self.state(auditor) == before)
            #expect(
                try auditor.strings("SELECT DISTINCT pack FROM projections.versions ORDER BY 1") == Self.packs)
            try expectClean(daemon, auditor)
            // The daemon writes into the new tables.
            #expect(
                try HTTPClient(daemon.http).postEvents(
                    Array(#"{"event_type":"page.viewed","payload":{}}"#.utf8), query: "?ack=committed"
                ).status == 200)
            try expectClean(daemon, auditor)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a seed that would change a row of someone's own is refused whole`() throws {
            let installation = try Installation(settings: Self.settings(["workspaces"]))
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            func post(_ line: String) throws {
                #expect(
                    try HTTPClient(daemon.http).postEvents(Array(line.utf8), query: "?ack=committed").status == 200)
            }
            try post(
                #"{"event_type":"workspaces.user_saved","payload":{"id":1,"username":"own","email":"own@example.com"}}"#
            )
            let before = try Self.state(auditor)
            let sameKey = try daemon.run("migrate", "seed", "workspaces", "--yes")
            #expect(sameKey.exit == .status(1))
            #expect(
                sameKey.errors.contains("workspaces_users has rows of your own") && sameKey.errors.contains(": 1."),
                "\(sameKey.errors)")
            #expect(try Self.state(auditor) == before)

            try post(#"{"event_type":"workspaces.user_deleted","payload":{"id":1}}"#)
            #expect(try daemon.run("migrate", "seed", "workspaces", "--yes").errors.contains("rows of your own"))
            #expect(try auditor.integer("SELECT count(*) FROM public.ingest_spools WHERE host LIKE 'seed%'") == 0)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a seed with a value that a unique index has is refused whole`() throws {
            let installation = try Installation(settings: Self.settings(["workspaces"]))
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            let line =
                #"{"event_type":"workspaces.user_saved","payload":{"id":90,"username":"ada","email":"own@example.com"}}"#
            #expect(try HTTPClient(daemon.http).postEvents(Array(line.utf8), query: "?ack=committed").status == 200)
            let before = try Self.state(auditor)
            let run = try daemon.run("migrate", "seed", "workspaces", "--yes")
            #expect(run.exit == .status(1))
            #expect(run.errors.contains("a table refuses what the seed of workspaces holds"), "\(run.errors)")
            #expect(try Self.state(auditor) == before)
            #expect(try auditor.integer("SELECT count(*) FROM projections.parked") == 0)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `what can't be taken away cleanly stays, and the message says why`() throws {
            let installation = try Installation(settings: Self.settings(["workspaces"]))
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            #expect(try daemon.run("migrate", "unseed").output.contains("nothing to do"))
            #expect(try daemon.run("migrate", "seed").isSuccess)
            let unknown = try daemon.run("migrate", "seed", "nothing")
            #expect(unknown.exit == .status(1) && unknown.errors.contains("projections.packs does not name nothing"))

            let connection = try installation.database.connect()
            try connection.execute(
                "CREATE TABLE kept AS SELECT * FROM public.analytics_events WHERE event_type = 'workspaces.message_sent'"
            )
            try connection.execute("DELETE FROM public.analytics_events WHERE event_type = 'workspaces.message_sent'")
            let state = try Self.state(auditor)
            let refused = try daemon.run("migrate", "unseed")
            #expect(refused.exit == .status(1))
            #expect(refused.errors.contains("of 26 rows of workspaces only 19 are left"), "\(refused.errors)")
            #expect(try Self.state(auditor) == state)
            try connection.execute("INSERT INTO public.analytics_events SELECT * FROM kept")
            #expect(try daemon.run("migrate", "unseed").isSuccess)
            #expect(try auditor.rows == 0)
            try expectClean(daemon, auditor)
        }

        @Test func `with a month away nothing is taken away, and all of it once the month is back`() throws {
            let installation = try Installation(settings: Self.settings(["workspaces"]))
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            #expect(try daemon.run("migrate", "seed").isSuccess)
            let connection = try installation.database.connect()
            let found = try connection.execute(
                """
                SELECT DISTINCT relation.oid::regclass::text, pg_get_expr(relpartbound, relation.oid)
                FROM public.analytics_events
                JOIN pg_class AS relation ON relation.oid = analytics_events.tableoid
                """)
            let months = (0..<found.rowCount).map { (found.string($0, 0) ?? "", found.string($0, 1) ?? "") }
            for (month, _) in months {
                try connection.execute("ALTER TABLE public.analytics_events DETACH PARTITION public.\(month)")
            }
            let refused = try daemon.run("migrate", "unseed")
            #expect(refused.exit == .status(1) && refused.errors.contains("sealed_months"), "\(refused.errors)")
            for (month, bound) in months {
                #expect(try auditor.integer("SELECT count(*) FROM public.\(month)") > 0)
                try connection.execute(
                    "ALTER TABLE public.analytics_events ATTACH PARTITION public.\(month) \(bound)")
            }
            #expect(try daemon.run("migrate", "unseed").isSuccess)
            #expect(try auditor.rows == 0)
            try expectClean(daemon, auditor)
        }

        @Test func `an unseed that was ended between its steps goes on`() throws {
            let installation = try Installation(settings: Self.settings(["workspaces"]))
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            #expect(try daemon.run("migrate", "seed").isSuccess)
            // An event of the pack in the outbox keeps a rebuild from its switch.
            let connection = try installation.database.connect()
            try connection.execute(
                "INSERT INTO public.outbox (event_type, payload) VALUES ('workspaces.user_deleted', '{\"id\": 5}')")
            let scratch = try ScratchDirectory()
            let ended = try SpawnedProcess(
                MillraceBinary.path, ["migrate", "unseed", "--config", daemon.configuration],
                mark: daemon.configuration,
                output: scratch.path + "/out", errors: scratch.path + "/err")
            let isGone = try eventually { try auditor.rows == 0 }
            #expect(isGone)
            ended.signal(SIGKILL)
            #expect(try ended.waitForExit(within: .seconds(20)) == .signal(SIGKILL))
            try auditor.verify(daemon)
            #expect(try daemon.run("migrate", "seed").errors.contains("is being taken away"))
            try connection.execute("DELETE FROM public.outbox")
            let run = try daemon.run("migrate", "unseed")
            #expect(run.isSuccess, "\(run.errors)")
            #expect(try auditor.integer("SELECT count(*) FROM public.ingest_batches") == 0)
            #expect(try auditor.integer("SELECT count(*) FROM projections.workspaces_users") == 0)
            try expectClean(daemon, auditor)
        }
    }
}
