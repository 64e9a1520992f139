import FoundationEssentials
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// `millrace users erase`: afterwards nobody finds the user, and every count is that of a recount.
    struct ErasureTests {
        private static let user = "843d440a-a7a7-45ee-96df-3568c37384b9"
        private static let other = "0005eed0-0000-4000-8000-000000000002"
        /// Stands in every text of the user, and nowhere else.
        private static let word = "xqzerasedtextqzx"

        private func installation(_ name: String = #function, settings: [String: String] = [:]) throws -> Installation {
            let packs = [
                "projections.packs":
                    "[\"analytics\", \"conversations\", \"commerce\", \"workspaces\", \"casework\"]"
            ]
            let installation = try Installation(name, settings: packs.merging(settings) { $1 })
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            try installation.daemon.start()
            return installation
        }

        private func send(_ lines: [String], to installation: Installation) throws {
            let scratch = try ScratchDirectory()
            try TextFile.write(lines.joined(separator: "\n") + "\n", to: scratch.path + "/lines.ndjson")
            let run = try installation.daemon.run(
                "send", scratch.path + "/lines.ndjson", "--ack", "committed", "--quiet")
            #expect(run.exit != .status(2), "\(run.output) \(run.errors)")
        }

        private func event(_ type: String, _ payload: String, user: String?, _ time: String) -> String {
            let owner = user.map { "\"user_id\":\"\($0)\"," } ?? ""
            return "{\"event_type\":\"\(type)\",\(owner)\"created_at\":\"\(time)\",\"payload\":\(payload)}"
        }

        /// Of a user of this name: of every pack, over two months.
        private func lines(_ user: String, _ word: String, number: Int) -> [String] {
            let id = "7a5f3f0e-0b1d-4a39-8a3d-6c2c61f0c00\(number)"
            let time = "2026-11-2\(number)T09:30:00Z"
            return [
                event(
                    "page.viewed",
                    "{\"page\":\"/\",\"email\":\"\(word)@example.com\",\"who\":\"\(user.uppercased())\"}", user: user,
                    time),
                event("page.viewed", "{\"page\":\"/a\",\"email\":\"\"}", user: user, "2026-10-0\(number)T10:00:00Z"),
                event("page.shared", "{\"with\":[{\"id\":\"\(user)\"}],\"page\":\"/b\"}", user: Self.other, time),
                event(
                    "commerce.user_saved",
                    "{\"id\":\"\(user)\",\"email\":\"same@example.com\",\"name\":\"\(word)\",\"role\":\"customer\"}",
                    user: nil,
                    "2026-11-1\(number)T09:00:00Z"),
                event("commerce.cart_saved", "{\"id\":\"\(id)\",\"user_id\":\"\(user)\"}", user: user, time),
                event(
                    "commerce.order_saved",
                    "{\"id\":\"\(id)\",\"user_id\":\"\(user)\",\"total_amount\":12.5,\"idempotency_key\":\"k\(number)\",\"created_at\":\"\(time)\"}",
                    user: user, time),
                event(
                    "commerce.lead_captured",
                    "{\"id\":\"\(id)\",\"name\":\"\(word)\",\"email\":\"\(word)@example.com\",\"message\":\"\(word)\"}",
                    user: user, time),
                event(
                    "conversations.feedback_given",
                    "{\"id\":\"\(id)\",\"conversation_id\":\"c\(number)\",\"rating\":5,\"comment\":\"\(word)\"}",
                    user: user, time),
                event(
                    "conversations.invitation_saved",
                    "{\"id\":\"\(id)\",\"email\":\"guest@example.com\",\"invited_by\":\"\(user)\",\"sent_at\":\"\(time)\"}",
                    user: user,
                    time),
                """
                {"conversation_id":"c\(number)","question":"\(word) one?","response":"\(word) two.","user_id":"\(user)",\
                "timestamp":"\(time)","source":"web"}
                """,
                """
                {"conversation_id":"d\(number)","question":"\(word) three?","response":"\(word) four.","user_id":"\(user)",\
                "timestamp":"2026-10-0\(number)T10:00:00Z","source":"app"}
                """,
                """
                {"conversation_id":"e\(number)","question":"Who is \(user)?","response":"Nobody.","user_id":"\(Self.other)",\
                "timestamp":"\(time)","source":"web"}
                """,
            ]
        }

        /// Of a tenant's own id: a number, as the packs workspaces and casework have them.
        private func numbered(_ number: Int, _ word: String) -> [String] {
            let time = "2026-11-2\(number)T11:00:00Z"
            return [
                event(
                    "workspaces.user_saved",
                    "{\"id\":\(number),\"username\":\"\(word)\(number)\",\"email\":\"\(word)\(number)@example.com\"}",
                    user: nil,
                    time),
                event(
                    "workspaces.workspace_saved",
                    "{\"id\":\(number)1,\"user_id\":\(number),\"title\":\"\(word)\",\"created_at\":\"\(time)\"}",
                    user: nil,
                    time),
                event(
                    "workspaces.workspace_changed", "{\"id\":\(number)1,\"description\":\"\(word)\"}", user: nil,
                    "2026-11-2\(number)T12:00:00Z"),
                event(
                    "workspaces.message_sent",
                    "{\"id\":\(number)2,\"workspace_id\":\(number)1,\"role\":\"USER\",\"content\":\"\(word)\"}",
                    user: nil,
                    time),
                // The table refuses it: no status is like that.
                event(
                    "workspaces.workspace_saved",
                    "{\"id\":\(number)3,\"user_id\":\(number),\"title\":\"\(word)\",\"status\":\"\(word)\"}", user: nil,
                    time),
                event(
                    "casework.user_saved",
                    "{\"id\":\(number),\"email\":\"\(word)\(number)@example.com\",\"first_name\":\"\(word)\"}",
                    user: nil, time),
                event(
                    "casework.beneficiary_saved",
                    "{\"id\":\(number)0,\"user_id\":\(number),\"first_name\":\"\(word)\"}", user: nil, time),
            ]
        }

        /// Tables in which a text stands, the months' and histories too, and what PostgreSQL knows of their columns.
        private func places(of text: String, in installation: Installation) throws -> [String] {
            let tables = try installation.auditor.strings(
                """
                SELECT c.oid::regclass::text
                FROM pg_class AS c
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE c.relkind = 'r' AND (nspname = 'public' OR starts_with(nspname::text, 'projections'))
                """)
            var found = try tables.filter { table in
                try installation.auditor.integer("SELECT count(*) FROM \(table) AS t WHERE t::text ~* '\(text)'") > 0
            }
            found += try installation.auditor.strings(
                """
                SELECT 'pg_stats of ' || tablename || '.' || attname
                FROM pg_stats
                WHERE concat(most_common_vals::text, histogram_bounds::text, most_common_elems::text) ~* '\(text)'
                """)
            let spool = installation.daemon.directory + "/spool"
            for name in try FileManager.default.subpathsOfDirectory(atPath: spool) {
                let bytes = FileManager.default.contents(atPath: "\(spool)/\(name)") ?? Data()
                if String(decoding: bytes, as: UTF8.self).lowercased().contains(text) { found.append(name) }
            }
            return found
        }

        private func expectNowhere(
            _ text: String, in installation: Installation, sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let found = try places(of: text, in: installation)
            #expect(found == [], "\(found)", sourceLocation: sourceLocation)
        }

        private func verify(_ installation: Installation) throws {
            let run = try installation.daemon.run("projections", "verify")
            #expect(run.isSuccess, "\(run.output) \(run.errors)")
            try installation.auditor.verify(installation.daemon)
        }

        private struct Report: Decodable {
            var state: String
            var counts: [String: Int]
            var waitingFor: [String]
        }

        @Test func `an erased user is in no table, no projection and no segment, and counts equal a recount`() throws {
            let installation = try installation()
            try send(
                lines(Self.user, Self.word, number: 1) + lines(Self.other, "kept", number: 2)
                    + numbered(7, Self.word) + numbered(8, "kept"), to: installation)
            try verify(installation)
            let rows = try installation.auditor.rows
            let planned = try installation.daemon.run("users", "erase", Self.user, "--dry-run", "--json")
                .report(Report.self)
            #expect(planned.counts["conversations"] == 2)
            #expect(try installation.auditor.rows == rows)

            let run = try installation.daemon.run("users", "erase", Self.user, "--yes", "--json", "--quiet")
            let report = try run.report(Report.self)
            #expect(run.isSuccess && report.state == "done", "\(run.output) \(run.errors)")
            #expect(report.counts["conversations"] == 2)
            #expect((report.counts["spool_lines"] ?? 0) > 8, "\(report.counts)")
            try expectNowhere(Self.user, in: installation)
            try verify(installation)
            // What is the other's is there.
            #expect(try installation.auditor.integer("SELECT count(*) FROM projections.commerce_users_now") == 1)
            #expect(
                try installation.auditor.strings(
                    "SELECT total_amount::text FROM projections.commerce_orders ORDER BY 1")
                    == ["12.50", "12.50"])
            #expect(
                try installation.auditor.integer("SELECT count(*) FROM public.analytics_events WHERE user_id IS NULL")
                    > 4)

            let second = try installation.daemon.run("users", "erase", "--external", "7", "--yes", "--json", "--quiet")
            #expect(second.isSuccess, "\(second.output) \(second.errors)")
            try expectNowhere(Self.word, in: installation)
            try verify(installation)
            #expect(try installation.auditor.strings("SELECT id::text FROM projections.workspaces_users_now") == ["8"])
            let rebuild = try installation.daemon.run("projections", "rebuild", "--all")
            #expect(rebuild.isSuccess, "\(rebuild.errors)")
            let parked = try installation.auditor.strings(
                "SELECT concat_ws(' ', fold, key, code, message) FROM projections.parked WHERE code <> 'waiting'")
            #expect(parked.allSatisfy { $0.contains("kept") }, "\(parked)")
            try verify(installation)
        }

        @Test func `an erasure that waits for a daemon which was killed goes on once it is back`() throws {
            let installation = try installation()
            try send(lines(Self.user, Self.word, number: 1), to: installation)
            for _ in 0..<2 {
                try installation.daemon.kill()
                let run = try installation.daemon.run("users", "erase", Self.user, "--yes", "--json", "--wait", "0")
                #expect(run.exit == .status(1), "\(run.output) \(run.errors)")
                #expect(try run.report(Report.self).waitingFor.count == 1)
                try installation.daemon.start()
            }
            let done = try installation.daemon.run("users", "erase", Self.user, "--yes", "--json", "--quiet")
            #expect(done.isSuccess, "\(done.output) \(done.errors)")
            try expectNowhere(Self.user, in: installation)
            try verify(installation)
        }

        @Test func `a month that comes back has the erased users no more`() throws {
            let installation = try installation()
            try send(lines(Self.user, Self.word, number: 1) + lines(Self.other, "kept", number: 2), to: installation)
            let connection = try installation.database.connect()
            let leaves = ["analytics_events_y2026m10", "conversations_y2026m10"]
            for leaf in leaves {
                let parent = leaf.split(separator: "_y")[0]
                try connection.execute("ALTER TABLE public.\(parent) DETACH PARTITION public.\(leaf)")
            }
            #expect(try installation.daemon.run("users", "erase", Self.user, "--yes", "--quiet").isSuccess)
            for leaf in leaves {
                try #expect(
                    connection.execute("SELECT count(*) FROM \(leaf) WHERE user_id = '\(Self.user)'").count(0, 0) > 0)
                let table: PartitionedTable = leaf.hasPrefix("a") ? .analyticsEvents : .conversations
                let packs = try ["analytics", "conversations", "commerce", "workspaces", "casework"].map {
                    try PackLoader().load($0)
                }
                let replay = ErasureReplay(connection: connection, packs: packs, paths: [])
                try replay.run(on: "public.\(leaf)", of: table)
                let bounds = "FROM ('2026-10-01 00:00:00+00') TO ('2026-11-01 00:00:00+00')"
                let parent = leaf.split(separator: "_y")[0]
                try connection.execute(
                    "ALTER TABLE public.\(parent) ATTACH PARTITION public.\(leaf) FOR VALUES \(bounds)")
                try replay.renewSketches()
            }
            try expectNowhere(Self.user, in: installation)
            try verify(installation)
        }

        @Test func `a user whom a pack deletes is erased by the daemon`() throws {
            let installation = try installation(settings: ["erasure.poll": "\"200ms\""])
            try send(lines(Self.user, Self.word, number: 1) + numbered(7, Self.word), to: installation)
            try send(
                [
                    event("commerce.user_deleted", "{\"id\":\"\(Self.user)\"}", user: nil, "2026-11-29T09:00:00Z"),
                    event("workspaces.user_deleted", "{\"id\":7}", user: nil, "2026-11-29T09:00:00Z"),
                    event("casework.user_deleted", "{\"id\":7}", user: nil, "2026-11-29T09:00:00Z"),
                ], to: installation)
            #expect(
                eventually(within: .seconds(60)) {
                    (try? installation.auditor.integer(
                        "SELECT count(*) FROM public.erasures WHERE state = 'done' AND source = 'trigger'")) ?? 0 >= 3
                })
            try expectNowhere(Self.user, in: installation)
            try expectNowhere(Self.word, in: installation)
            try verify(installation)
        }

        @Test func `an erasure is asked for over HTTP`() throws {
            let installation = try installation(settings: ["erasure.poll": "\"200ms\""])
            try send(lines(Self.user, Self.word, number: 1), to: installation)
            let answer = try HTTPClient(installation.daemon.http).request(
                "DELETE", "/v1/users/\(Self.user)")
            #expect(answer.status == 202, "\(answer.text)")
            #expect(
                eventually(within: .seconds(60)) {
                    (try? installation.auditor.integer("SELECT count(*) FROM public.erasures WHERE state = 'done'"))
                        == 1
                })
            try expectNowhere(Self.user, in: installation)
            #expect(
                try installation.auditor.integer(
                    "SELECT count(*) FROM public.audit_log WHERE action LIKE 'user.erase%'")
                    == 2)
        }
    }
}
