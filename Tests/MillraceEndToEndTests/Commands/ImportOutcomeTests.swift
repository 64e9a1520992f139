import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What an import tells of what became of records.
    struct ImportOutcomeTests {
        private struct Report: Decodable {
            struct Problem: Decodable {
                var line: Int
                var index: Int?
                var kind: String?
                var id: String?
                var code: String
                var pack: String?
                var fold: String?
                var constraint: String?
                var sqlstate: String?
            }

            var total: Int
            var bad: Int
            var parked: Int
            var deadLetters: Int
            var passwordHashes: Int
            var derivedIds: Int
            var problems: [Problem]
        }

        private func installation(_ name: String = #function, packs: String) throws -> Installation {
            let installation = try Installation(name, settings: ["projections.packs": "[\"\(packs)\"]"])
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            try installation.daemon.start()
            return installation
        }

        private func run(
            _ text: String, in installation: Installation, _ scratch: ScratchDirectory, _ more: [String] = []
        ) throws -> CommandRun {
            let file = scratch.path + "/export.json"
            try TextFile.write(text, to: file)
            return try CommandRun(
                ["import", file, "--as-of", "2026-11-25T00:00:00Z"] + more
                    + ["--quiet", "--config", installation.daemon.configuration], in: scratch)
        }

        private static let workspaces = """
            {"users": [
              {"id": 1, "username": "ada", "email": "ada@example.org", "created_at": "2026-11-01T00:00:00Z"},
              {"id": 2, "username": "ada", "email": "ada2@example.org", "created_at": "2026-11-01T00:00:00Z"}],
             "workspaces": [
              {"id": 1, "user_id": 1, "status": "IN_PROGRESS", "priority": "HIGH", "created_at": "2026-11-02T00:00:00Z"},
              {"id": 2, "user_id": 1, "title": "over", "progress": 100.5, "status": "IN_PROGRESS", "priority": "HIGH",
               "created_at": "2026-11-02T00:00:00Z"},
              {"id": 3, "user_id": 1, "title": "tags", "tags": "a,b", "status": "COMPLETED", "priority": "LOW",
               "created_at": "2026-11-02T00:00:00Z"},
              {"id": 4, "user_id": 1, "title": "good", "status": "COMPLETED", "priority": "LOW",
               "created_at": "2026-11-02T00:00:00Z"}]}
            """

        @Test func `records that no table took are listed with their constraint, and the exit status is 1`() throws {
            let installation = try installation(packs: "workspaces")
            let scratch = try ScratchDirectory()
            for _ in 1...2 {
                let json = try run(Self.workspaces, in: installation, scratch, ["--json"])
                #expect(json.exit == .status(1))
                let report = try json.report(Report.self)
                #expect(report.total == 2 && report.bad == 0 && report.parked == 4 && report.deadLetters == 0)
                #expect(
                    report.problems.allSatisfy { $0.code == "parked" && $0.pack == "workspaces" && $0.sqlstate != nil })
                #expect(
                    report.problems.map { "\($0.kind ?? "") \($0.id ?? "")" }.sorted() == [
                        "users 2", "workspaces 1", "workspaces 2", "workspaces 3",
                    ])
                #expect(report.problems.first { $0.kind == "users" }?.sqlstate == "23505")
                #expect(
                    report.problems.first { $0.id == "2" && $0.kind == "workspaces" }?.constraint?.contains("progress")
                        == true)
            }
            let text = try run(Self.workspaces, in: installation, scratch, ["--bad", "2"])
            #expect(text.exit == .status(1))
            #expect(text.output.contains("imported: users 1, workspaces 1, total 2 in"))
            #expect(text.output.contains("4 records are stored, and parked"))
            #expect(text.output.contains("SQLSTATE 23505") && text.output.contains("… and 2 more"), "\(text.output)")
            let ids = "SELECT string_agg(id::text, ',') FROM projections.workspaces_"
            #expect(try installation.auditor.strings(ids + "users") == ["1"])
            #expect(try installation.auditor.strings(ids + "workspaces") == ["4"])
            // Who does not wait is not told.
            let spooled = try run(Self.workspaces, in: installation, scratch, ["--no-wait"])
            #expect(spooled.isSuccess && spooled.output.contains("total 6"), "\(spooled.output)")
        }

        @Test func `send with --ack committed tells the same by line`() throws {
            let installation = try installation(packs: "workspaces")
            let scratch = try ScratchDirectory()
            let file = scratch.path + "/events.ndjson"
            try TextFile.write(
                """
                {"event_type":"workspaces.workspace_saved","payload":{"id":1,"user_id":1,"title":"good"}}
                {"event_type":"workspaces.workspace_saved","payload":{"id":2,"user_id":1}}
                """, to: file)
            let sent = try installation.daemon.run("send", file, "--ack", "committed", "--quiet")
            #expect(sent.exit == .status(1))
            #expect(
                sent.output.contains("2 accepted") && sent.output.contains("line 2: parked: pack workspaces"),
                "\(sent.output)")
            #expect(try installation.daemon.run("send", file, "--quiet").isSuccess)
        }

        @Test func `conversations that were deleted are in no count and no search, and come back by a later export`()
            throws
        {
            let installation = try installation(packs: "conversations")
            let scratch = try ScratchDirectory()
            func save(_ number: Int, _ more: String) -> String {
                """
                {"conversation_id": "conv-\(number)", "question": "Number \(number)?", "response": "Yes.",
                 "user_id": "0005eed0-0000-4000-8000-000000000002", "timestamp": "2026-11-20T09:0\(number):00Z", \(more)}
                """
            }
            let deleted = [
                #""status": "active""#, #""status": "deleted""#, #""deleted_at": "2026-11-21T00:00:00Z""#,
                #""is_deleted": true"#,
            ]
            func export(_ more: [String]) -> String {
                "{\"conversations\": [\(more.enumerated().map { save($0.offset + 1, $0.element) }.joined(separator: ","))]}"
            }
            let counts = """
                SELECT concat_ws(' ', (SELECT count(*) FROM user_questions_complete),
                    (SELECT sum(n) FROM projections.conversations_daily),
                    (SELECT n FROM projections.conversations_top_users))
                """
            for _ in 1...2 {
                let first = try run(export(deleted), in: installation, scratch)
                #expect(first.isSuccess && first.output.contains("conversations 4, total 4"), "\(first.output)")
                #expect(try installation.auditor.strings(counts) == ["1 1 1"])
                #expect(try installation.auditor.events == 4)
            }
            let later = try run(
                export(
                    ["\"updated_at\": \"2026-11-26T00:00:00Z\", \"status\": \"active\""].map { $0 }
                        + deleted[1...]
                        .map { "\($0), \"updated_at\": \"2026-11-20T12:00:00Z\"" }),
                in: installation, scratch)
            #expect(later.isSuccess, "\(later.output)")
            let restored = try run(
                export(Array(repeating: #""is_deleted": false, "updated_at": "2026-11-27T00:00:00Z""#, count: 4)),
                in: installation, scratch)
            #expect(restored.isSuccess, "\(restored.output)")
            #expect(try installation.auditor.strings(counts) == ["4 4 4"])
            #expect(try installation.daemon.run("projections", "verify").isSuccess)
        }

        @Test func `an object of users by UUID goes in with hashes on request, which are in no event`() throws {
            let installation = try installation(packs: "workspaces")
            let scratch = try ScratchDirectory()
            let hash = "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW"
            let user = "843d440a-a7a7-45ee-96df-3568c37384b9"
            let text = """
                {"users": {"\(user)": {"username": "ada", "email": "a@example.org", "password_hash": "\(hash)"},
                  "7": {"username": "bob", "email": "b@example.org", "password": "hunter2"}},
                 "workspaces": {"3": {"user_id": "\(user)", "title": "W", "status": "IN_PROGRESS", "priority": "LOW",
                   "created_at": "2026-11-02T00:00:00Z"}}}
                """
            let without = try run(text, in: installation, scratch, ["--json"])
            #expect(try without.report(Report.self).passwordHashes == 0)
            #expect(try installation.auditor.integer("SELECT count(*) FROM password_hashes") == 0)
            let with = try run(text, in: installation, scratch, ["--json", "--with-password-hashes"])
            #expect(with.isSuccess, "\(with.output) \(with.errors)")
            let report = try with.report(Report.self)
            #expect(report.passwordHashes == 1 && report.derivedIds == 1 && report.total == 3)
            #expect(
                try installation.auditor.strings(
                    """
                    SELECT u.username || ' ' || w.title || ' ' || h.hash
                    FROM projections.workspaces_workspaces AS w
                    JOIN projections.workspaces_users AS u ON u.id = w.user_id
                    JOIN password_hashes AS h ON h.pack = 'workspaces' AND h.user_id = u.id::text
                    """) == ["ada W \(hash)"])
            #expect(
                try installation.auditor.integer(
                    "SELECT count(*) FROM analytics_events WHERE payload::text ~ 'hunter2|2b\\$'") == 0)
            let shown = [without.output, with.output, with.errors, installation.daemon.log].joined()
            #expect(!shown.contains("2b$") && !shown.contains("hunter2"))
        }
    }
}
