import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ConversationStatusTests {
        private static let user = "0005eed0-0000-4000-8000-000000000002"

        private func installation(_ name: String = #function, settings: [String: String] = [:]) throws -> Installation {
            let packs = ["projections.packs": "[\"analytics\", \"conversations\"]"]
            let installation = try Installation(name, settings: packs.merging(settings) { $1 })
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            try installation.daemon.start()
            return installation
        }

        private func send(
            _ lines: [String], to installation: Installation, in scratch: ScratchDirectory, parked: Int = 0
        ) throws {
            let file = scratch.path + "/lines.ndjson"
            try TextFile.write(lines.joined(separator: "\n") + "\n", to: file)
            let run = try installation.daemon.run("send", file, "--ack", "committed", "--quiet")
            #expect(run.exit == .status(parked > 0 ? 1 : 0), "\(run.output) \(run.errors)")
            #expect(parked == 0 || run.output.contains("\(parked) are parked"), "\(run.output)")
        }

        private func save(_ conversation: String, _ question: String, _ time: String = "2026-11-20T09:00:00Z") -> String
        {
            """
            {"conversation_id":"\(conversation)","question":"\(question)","response":"Yes.","user_id":"\(Self.user)",\
            "timestamp":"\(time)","source":"web"}
            """
        }

        private func said(_ type: String, _ payload: String, _ time: String = "2026-11-21T09:00:00Z") -> String {
            "{\"event_type\":\"conversations.\(type)\",\"created_at\":\"\(time)\",\"payload\":{\(payload)}}"
        }

        /// How many are active by each count that there is; all agree.
        private func active(_ installation: Installation) throws -> Set<Int> {
            let auditor = installation.auditor
            var counts: Set<Int> = []
            for source in [
                "(SELECT 1 AS n FROM public.conversations WHERE status = 'active') AS rows",
                "(SELECT 1 AS n FROM public.user_questions_complete) AS rows",
                "projections.conversations_daily", "projections.conversations_daily_by_user",
                "projections.conversations_top_users", "projections.conversations_top_users_by_month",
            ] { counts.insert(try auditor.integer("SELECT coalesce(sum(n), 0) FROM \(source)")) }
            let listed = try HTTPClient.get(
                "/v1/conversations?from=2026-01-01T00:00:00Z&limit=1000", at: installation.daemon.http)
            counts.insert(listed.text.components(of: "\"conversation_id\""))
            return counts
        }

        private func verify(_ installation: Installation) throws {
            let run = try installation.daemon.run("projections", "verify")
            #expect(run.isSuccess, "\(run.output) \(run.errors)")
        }

        @Test func `a conversation that is archived or deleted leaves every count and search, and comes back`() throws {
            let installation = try installation()
            let scratch = try ScratchDirectory()
            try send(
                [save("a", "eins"), save("a", "zwei"), save("b", "drei"), save("c", "vier")], to: installation,
                in: scratch)
            #expect(try active(installation) == [4])
            try send(
                [said("status_changed", #""conversation_id":"a","status":"archived""#)], to: installation, in: scratch)
            #expect(try active(installation) == [2])
            try send([said("conversation_deleted", #""conversation_id":"b""#)], to: installation, in: scratch)
            #expect(try active(installation) == [1])
            let search = "/v1/conversations/search?q=drei&from=2026-01-01T00:00:00Z"
            #expect(try !HTTPClient.get(search, at: installation.daemon.http).text.contains("drei"))
            // An older event changes nothing; a save of a deleted conversation is not active.
            try send(
                [
                    said("status_changed", #""conversation_id":"a","status":"active""#, "2026-11-20T10:00:00Z"),
                    save("b", "mehr"), save("d", "neu"),
                ], to: installation, in: scratch)
            #expect(try active(installation) == [2])
            try send(
                [
                    said("status_changed", #""conversation_id":"a","status":"active""#, "2026-11-22T10:00:00Z"),
                    said("status_changed", #""conversation_id":"b","status":"active""#, "2026-11-22T10:00:00Z"),
                ], to: installation, in: scratch)
            #expect(try active(installation) == [6])
            #expect(try HTTPClient.get(search, at: installation.daemon.http).text.contains("drei"))
            try verify(installation)
            let rebuild = try installation.daemon.run("projections", "rebuild", "conversations")
            #expect(rebuild.isSuccess, "\(rebuild.errors)")
            #expect(try active(installation) == [6])
            try send(
                [said("conversation_deleted", #""conversation_id":"a""#, "2026-11-23T10:00:00Z")], to: installation,
                in: scratch)
            #expect(try active(installation) == [4])
            #expect(try installation.daemon.run("projections", "rebuild", "conversations").isSuccess)
            #expect(try active(installation) == [4])
            try verify(installation)
            try installation.auditor.verify(installation.daemon)
        }

        @Test func `one save is deleted alone, by the id that saving it answered`() throws {
            let installation = try installation()
            let scratch = try ScratchDirectory()
            try send([save("a", "eins"), save("a", "zwei")], to: installation, in: scratch)
            let id = try #require(
                try installation.auditor.strings("SELECT id::text FROM public.conversations WHERE question = 'eins'")
                    .first)
            try send(
                [said("save_deleted", "\"conversation_id\":\"a\",\"id\":\"\(id)\"")], to: installation, in: scratch)
            #expect(try active(installation) == [1])
            #expect(try installation.auditor.strings("SELECT question FROM user_questions_complete") == ["zwei"])
            // What is said later counts, of the conversation or of the save.
            try send(
                [said("status_changed", #""conversation_id":"a","status":"archived""#, "2026-11-22T09:00:00Z")],
                to: installation, in: scratch)
            #expect(try active(installation) == [0])
            try send(
                [
                    said(
                        "save_status_changed", "\"conversation_id\":\"a\",\"id\":\"\(id)\",\"status\":\"active\"",
                        "2026-11-23T09:00:00Z")
                ], to: installation, in: scratch)
            #expect(try installation.auditor.strings("SELECT question FROM user_questions_complete") == ["eins"])
            #expect(try active(installation) == [1])
            try verify(installation)
        }

        @Test func `what names no conversation or no status is parked and changes nothing`() throws {
            let installation = try installation()
            let scratch = try ScratchDirectory()
            try send(
                [
                    save("a", "eins"), said("conversation_deleted", ""), said("conversation_deleted", #""id":"a""#),
                    said("status_changed", #""conversation_id":"a""#),
                    said("status_changed", #""conversation_id":"a","status":"""#),
                    said("save_deleted", #""conversation_id":"a""#),
                    said("save_deleted", #""conversation_id":"a","id":"x""#),
                ], to: installation, in: scratch, parked: 6)
            #expect(try active(installation) == [1])
            #expect(try installation.auditor.integer("SELECT count(*) FROM projections.parked") == 6)
        }

        @Test func `an UPDATE or DELETE by hand is refused, and names the events`() throws {
            let installation = try installation()
            let scratch = try ScratchDirectory()
            try send([save("a", "eins")], to: installation, in: scratch)
            for statement in [
                "DELETE FROM public.conversations", "UPDATE public.conversations SET status = 'deleted'",
                "DELETE FROM public.conversations_y2026m11",
            ] {
                let error = #expect(throws: (any Error).self) {
                    _ = try installation.auditor.strings("WITH x AS (\(statement) RETURNING 1) SELECT 'x' FROM x")
                }
                #expect("\(String(describing: error))".contains("MR010"), "\(String(describing: error))")
            }
            #expect(try active(installation) == [1])
            #expect(
                try installation.auditor.integer(
                    """
                    WITH free AS (SELECT set_config('millrace.conversations', 'by hand', false)),
                        gone AS (DELETE FROM public.conversations USING free RETURNING 1)
                    SELECT count(*) FROM gone
                    """) == 1)
        }

        @Test(arguments: [1, 2, 3] as [UInt64])
        func `saves and what is said of them, in any order and over a kill, make the same counts`(seed: UInt64) throws {
            let installation = try installation(
                "status_stream_\(seed)", settings: ["database.writers": "2", "database.batch_rows": "40"])
            let scratch = try ScratchDirectory()
            var generator = SeededGenerator(seed: seed)
            var lines: [String] = []
            for number in 0..<400 {
                let conversation = "c\(Int.random(in: 0..<40, using: &generator))"
                let day = Int.random(in: 10...28, using: &generator)
                let time = "2026-11-\(day)T0\(number % 10):00:00Z"
                if number % 2 == 0 {
                    lines.append(save(conversation, "q\(number)", time))
                } else {
                    let status = ["active", "archived", "active", "deleted"].randomElement(using: &generator) ?? ""
                    lines.append(
                        status == "deleted"
                            ? said("conversation_deleted", "\"conversation_id\":\"\(conversation)\"", time)
                            : said(
                                "status_changed", "\"conversation_id\":\"\(conversation)\",\"status\":\"\(status)\"",
                                time))
                }
            }
            lines.shuffle(using: &generator)
            try send(Array(lines[..<150]), to: installation, in: scratch)
            try verify(installation)
            let file = scratch.path + "/rest.ndjson"
            try TextFile.write(lines[150...].joined(separator: "\n") + "\n", to: file)
            let sending = try SpawnedProcess(
                MillraceBinary.path, ["send", file, "--quiet", "--config", installation.daemon.configuration],
                mark: file, output: scratch.path + "/out", errors: scratch.path + "/err")
            _ = eventually(within: .seconds(20)) { ((try? installation.auditor.rows) ?? 0) > 200 }
            try installation.daemon.kill()
            try installation.daemon.start()
            #expect(try sending.waitForExit(within: .seconds(60)) == .status(0))
            #expect(
                eventually(within: .seconds(60)) {
                    (try? installation.auditor.verify(installation.daemon).total?.inSpool) == 0
                })
            // By plain SQL, from the events alone.
            let expected = try installation.auditor.integer(
                """
                SELECT count(*)
                FROM public.conversations AS save
                WHERE coalesce(
                    (
                        SELECT coalesce(said.payload->>'status', 'deleted')
                        FROM public.analytics_events AS said
                        WHERE said.payload->>'conversation_id' = save.conversation_id
                        ORDER BY said.created_at DESC, said.id DESC
                        LIMIT 1
                    ), 'active') = 'active'
                """)
            #expect(expected > 0 && expected < 200)
            #expect(try active(installation) == [expected], "seed \(seed)")
            try verify(installation)
        }
    }
}

extension String {
    fileprivate func components(of part: String) -> Int { replacing(part, with: "\u{0}").count { $0 == "\u{0}" } }
}
