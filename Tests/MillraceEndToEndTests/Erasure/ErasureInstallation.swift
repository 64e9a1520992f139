import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

/// A daemon with all six packs, users who are in every place where a user may be, and searches for what is left of one.
struct ErasureInstallation {
    static let user = "843d440a-a7a7-45ee-96df-3568c37384b9"
    static let other = "0005eed0-0000-4000-8000-000000000002"
    /// Stands in every text of the user, and nowhere else.
    static let word = "xqzerasedtextqzx"

    private static let packs = ["analytics", "conversations", "commerce", "workspaces", "casework", "product"]

    /// What `users erase` reports.
    struct Report: Decodable {
        var erasure: String?
        var state: String
        var counts: [String: Int]
        var waitingFor: [String]
    }

    let installation: Installation
    var daemon: DaemonProcess { installation.daemon }
    var auditor: Auditor { installation.auditor }

    /// Of a daemon that is there already.
    init(_ installation: Installation) {
        self.installation = installation
    }

    /// Started.
    init(_ name: String = #function, cluster: TestCluster? = nil, settings: [String: String] = [:]) throws {
        installation = try Installation(name, cluster: cluster, settings: Self.settings.merging(settings) { $1 })
        #expect(try daemon.run("migrate", "up").isSuccess)
        try daemon.start()
    }

    /// Of every daemon here.
    static let settings = [
        "projections.packs": "[\(packs.map { "\"\($0)\"" }.joined(separator: ", "))]", "erasure.poll": "\"100ms\"",
        "database.retry_max": "\"500ms\"", "outbox.poll": "\"100ms\"",
    ]

    /// In the tables when this returns, or in dead letters.
    func send(_ lines: [String], to other: DaemonProcess? = nil) throws {
        let scratch = try ScratchDirectory()
        try TextFile.write(lines.joined(separator: "\n") + "\n", to: scratch.path + "/lines.ndjson")
        let run = try (other ?? daemon).run("send", scratch.path + "/lines.ndjson", "--ack", "committed", "--quiet")
        #expect(run.exit != .status(2), "\(run.output) \(run.errors)")
    }

    /// Without a greeting, so that what is refused becomes a dead letter. Returns when there are so many.
    func sendWithoutGreeting(_ lines: [String], letters: Int) throws {
        let before = try auditor.integer("SELECT count(*) FROM public.dead_letters")
        let socket = try StreamSocket(daemon.tcp)
        let first = event("greeting.none", "{}", user: nil, "2026-11-22T10:00:00Z")
        try socket.send(Array((([first] + lines).joined(separator: "\n") + "\n").utf8))
        let isIn = try eventually {
            try auditor.integer("SELECT count(*) FROM public.dead_letters") >= before + letters
        }
        #expect(isIn, "\(letters) letters")
    }

    func erase(_ arguments: String...) throws -> CommandRun {
        try daemon.run(["users", "erase"] + arguments + ["--json", "--quiet"])
    }

    /// Until it is done; what was changed.
    @discardableResult
    func eraseAll(_ arguments: String...) throws -> [String: Int] {
        let run = try daemon.run(["users", "erase"] + arguments + ["--yes", "--json", "--quiet"])
        let report = try run.report(Report.self)
        #expect(run.isSuccess && report.state == "done", "\(run.output) \(run.errors)")
        return report.counts
    }

    func planned(_ arguments: String...) throws -> [String: Int] {
        try daemon.run(["users", "erase"] + arguments + ["--dry-run", "--json", "--quiet"]).report(Report.self).counts
    }

    /// Counts equal a recount, and what came in is accounted for.
    func verify(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let run = try daemon.run("projections", "verify")
        #expect(run.isSuccess, "\(run.output) \(run.errors)", sourceLocation: sourceLocation)
        try auditor.verify(daemon, sourceLocation: sourceLocation)
    }
}

extension ErasureInstallation {
    func event(_ type: String, _ payload: String, user: String?, _ time: String) -> String {
        let owner = user.map { "\"user_id\":\"\($0)\"," } ?? ""
        return "{\"event_type\":\"\(type)\",\(owner)\"created_at\":\"\(time)\",\"payload\":\(payload)}"
    }

    /// Of a user of this name: of every pack, over two months.
    func lines(_ user: String, _ word: String, number: Int) -> [String] {
        let id = "7a5f3f0e-0b1d-4a39-8a3d-6c2c61f0c00\(number)"
        let time = "2026-11-2\(number)T09:30:00Z"
        return [
            event(
                "page.viewed",
                "{\"page\":\"/\",\"email\":\"\(word)@example.com\",\"who\":\"\(user.uppercased())\"}", user: user,
                time),
            event("page.viewed", "{\"page\":\"/a\",\"email\":\"\"}", user: user, "2026-10-0\(number)T10:00:00Z"),
            // As an SDK's dialect says which ids are one person's: the user's other ones, and the user as another one's.
            event(
                "user.identified", "{\"_millrace\":{\"anonymous_user_id\":\"\(id)\"}}", user: user,
                "2026-10-0\(number)T10:01:00Z"),
            event("user.aliased", "{\"_millrace\":{\"previous_user_id\":\"\(user)\"}}", user: id, time),
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
    func numbered(_ number: Int, _ word: String) -> [String] {
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
}
