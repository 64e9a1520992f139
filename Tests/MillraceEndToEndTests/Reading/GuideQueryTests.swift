import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What the guides ask of an ORM, asked of the read API over the seeds.
    struct GuideQueryTests {
        private struct Row: Decodable {
            var id: Int?
            var title: String?
            var status: String?
            var n: Int?
            var beneficiaries: [Row]?
            var documents: [Row]?
            var conversations: [Row]?
            var messages: [Row]?
            var content: String?
        }

        private struct Page: Decodable {
            var order: String?
            var item: Row?
            var items: [Row]?
            var beneficiaries: [Row]?
            var documents: [Row]?
            var conversations: [Row]?
            var truncated: [String]?
            var next: String?
        }

        private static func installation(
            _ pack: String, _ settings: [String: String] = [:], name: String = #function
        ) throws -> Installation {
            let installation = try Installation(
                name, settings: settings.merging(["projections.packs": "[\"\(pack)\"]"]) { first, _ in first })
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            let seeded = try installation.daemon.run("migrate", "seed")
            #expect(seeded.isSuccess, "\(seeded.errors)")
            try installation.daemon.start()
            return installation
        }

        private static func get(_ path: String, _ daemon: DaemonProcess) throws -> Page {
            let answer = try HTTPClient(daemon.http).request("GET", path)
            #expect(answer.status == 200, "\(path): \(answer.text)")
            #expect(!answer.text.contains("password"), "\(path): \(answer.text)")
            return try JSONDecoder().decode(Page.self, from: Data(answer.body))
        }

        private static func ids(_ path: String, _ daemon: DaemonProcess) throws -> [Int?] {
            try get(path, daemon).items?.map(\.id) ?? []
        }

        @Test func `guide 000: workspaces are told by status, priority and time, paged by offset, read with messages`()
            throws
        {
            let daemon = try Self.installation("workspaces").daemon
            let list = "/v1/entities/workspaces/workspaces"
            // Workspace 4 is deleted.
            #expect(try Self.ids(list, daemon) == [8, 7, 6, 5, 3, 2, 1])
            #expect(try Self.ids("\(list)?status=IN_PROGRESS", daemon) == [7, 5])
            #expect(try Self.ids("\(list)?priority=URGENT&created_at>=2026-11-02&limit=10", daemon) == [5, 3])
            #expect(try Self.ids("\(list)?priority=URGENT&status!=COMPLETED", daemon) == [5, 1])
            #expect(try Self.ids("\(list)?from=2026-11-02T08:00:00Z&to=2026-11-05T08:00:00Z", daemon) == [3, 2])
            #expect(try Self.ids("\(list)?limit=3&offset=3", daemon) == [5, 3, 2])
            #expect(try Self.ids("\(list)?progress>=50&progress<100&order=key", daemon) == [6, 7])
            let counts = try Self.get("/v1/status-counts/workspaces/workspaces_by_status?by=status", daemon)
            #expect(
                counts.items?.map { "\($0.status ?? "") \($0.n ?? 0)" } == [
                    "NOT_STARTED 2", "IN_PROGRESS 2", "COMPLETED 3",
                ])
            let eager = try Self.get("\(list)?include=messages&limit=7&include_limit=2", daemon)
            #expect(eager.items?.map { $0.messages?.count ?? -1 } == [0, 0, 0, 2, 0, 2, 2])
            #expect(
                eager.items?.last?.messages?.map(\.content) == ["Bonjour, où est ma commande ?", "Elle part demain."])
            #expect(eager.truncated == ["messages"] && eager.next == nil)
            for path in ["\(list)/1?include=password", "/v1/entities/workspaces/users?password_hash!=a"] {
                #expect(try HTTPClient(daemon.http).request("GET", path).status == 400)
            }
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `guide 003: a user with beneficiaries and their documents, pages of users, counts by status`() throws
        {
            let daemon = try Self.installation("casework").daemon
            let user = try Self.get(
                "/v1/entities/casework/users/1?include=beneficiaries.documents,conversations", daemon)
            #expect(user.item?.id == 1)
            #expect(user.beneficiaries?.map(\.id) == [1, 2, 3])
            #expect(user.beneficiaries?.map { $0.documents?.map(\.id) ?? [] } == [[1, 6], [2], [3]])
            #expect(user.conversations?.map(\.id) == [1, 2] && user.truncated == [] && user.next == nil)
            let short = try Self.get(
                "/v1/entities/casework/users/1?include=beneficiaries,documents,beneficiaries.documents,"
                    + "beneficiaries.conversations&limit=1", daemon)
            #expect(short.beneficiaries?.map(\.id) == [1] && short.documents?.map(\.id) == [1])
            #expect(short.beneficiaries?[0].documents?.map(\.id) == [1])
            #expect(short.beneficiaries?[0].conversations?.map(\.id) == [1])
            #expect(short.truncated == ["beneficiaries", "beneficiaries.documents", "documents"])
            // One fold is paged as before.
            let one = try Self.get("/v1/entities/casework/users/1?include=documents&limit=2", daemon)
            let cursor = try #require(one.next)
            let rest = try Self.get("/v1/entities/casework/users/1?include=documents&limit=2&cursor=\(cursor)", daemon)
            #expect(one.documents?.map(\.id) == [1, 2] && rest.documents?.map(\.id) == [3, 4])

            let users = "/v1/entities/casework/users"
            let page = try Self.get("\(users)?limit=2&offset=1", daemon)
            #expect(page.items?.map(\.id) == [2, 1] && page.order == "created_at")
            #expect(try Self.ids("\(users)?email=ada@example.com", daemon) == [1])
            #expect(try Self.ids("\(users)?status=active&order=key", daemon) == [1, 2])
            let whole = try Self.get("\(users)?include=beneficiaries.documents&order=key", daemon)
            #expect(whole.items?.map { $0.beneficiaries?.map(\.id) ?? [] } == [[1, 2, 3], [4, 5], []])
            #expect(
                whole.items?.map { $0.beneficiaries?.map { $0.documents?.map(\.id) ?? [] } ?? [] }
                    == [[[1, 6], [2], [3]], [[4], [5]], []])

            for (path, wanted) in [
                ("documents_by_status?user_id=1", ["submitted 2", "approved 1", "rejected 1"]),
                ("documents_by_beneficiary?beneficiary_id=1", ["submitted 2"]),
                ("conversations_by_beneficiary?beneficiary_id=2", ["closed 1"]),
                ("beneficiaries_by_status?user_id=1", ["active 2", "closed 1"]),
                ("conversations_by_status?user_id=2", ["open 1", "closed 1"]),
                ("users_by_status", ["active 2", "inactive 1"]),
            ] {
                let counts = try Self.get("/v1/status-counts/casework/\(path)", daemon)
                #expect(counts.items?.map { "\($0.status ?? "") \($0.n ?? 0)" } == wanted, "\(path)")
            }
            #expect(
                try Self.ids("/v1/entities/casework/documents?user_id=1&status=submitted", daemon) == [2, 1])
            let recount = try daemon.run("projections", "verify")
            #expect(recount.isSuccess, "\(recount.output) \(recount.errors)")
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `include is bounded in depth, rows and bytes, and says what it leaves out`() throws {
            let daemon = try Self.installation(
                "casework", ["api.include_depth": "2", "api.include_rows_max": "4"]
            ).daemon
            let user = "/v1/entities/casework/users/1"
            for (include, word) in [
                ("beneficiaries.documents.documents", "2 names deep (api.include_depth)"),
                ("beneficiaries.users", "one of documents, conversations behind beneficiaries"),
                ("documents.conversations", "left out behind documents: no rows belong to this fold"),
                ("beneficiaries,", "one of beneficiaries, documents, conversations"), (".", "beneficiaries"),
                ("password", "beneficiaries"), ("beneficiaries.%27", "documents"),
            ] {
                let answer = try HTTPClient(daemon.http).request("GET", "\(user)?include=\(include)")
                #expect(answer.status == 400 && answer.text.contains(word), "\(include): \(answer.text)")
            }
            let page = try Self.get("\(user)?include=beneficiaries.documents,conversations", daemon)
            #expect(page.beneficiaries?.count == 3)
            #expect(page.beneficiaries?.map { $0.documents?.count ?? -1 } == [1, 0, 0])
            #expect(page.conversations?.isEmpty == true)
            #expect(page.truncated == ["beneficiaries.documents", "conversations"])
            let cursor = try HTTPClient(daemon.http).request(
                "GET", "\(user)?include=beneficiaries.documents&cursor=abcdefghijklmnop")
            #expect(cursor.status == 400 && cursor.text.contains("left out with several lists"), "\(cursor.text)")
            #expect(try HTTPClient(daemon.http).request("GET", "\(user)?include=documents,documents").status == 200)
            let missing = try HTTPClient(daemon.http).request(
                "GET", "/v1/entities/casework/users/99?include=documents,conversations")
            #expect(missing.status == 404)
            let wrong = try HTTPClient(daemon.http).request(
                "GET", "/v1/entities/casework/users/abc?include=documents,conversations")
            #expect(wrong.status == 400 && wrong.text.contains("key is not a value of type bigint"), "\(wrong.text)")
            #expect(try daemon.stop() == .status(0))
        }
    }
}
