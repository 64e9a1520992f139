import FoundationEssentials
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The reports of the pack `product` over HTTP: what they say, to whom, and when it is said anew.
    struct ProductReportsTests {
        private struct Report: Decodable {
            struct Item: Decodable {
                var bucket: String?
                var value: String?
                var step: Int?
                var n: Int
                var conversion: Double?
                var path: [String]?
                var cohort: String?
                var period: Int?
                var rate: Double?
                var bounces: Int?
                var secondsAverage: Double?
            }

            var from: String
            var to: String
            var asOf: String
            var items: [Item]
        }

        private static let users = (1...4).map { "843d440a-a7a7-45ee-96df-3568c37384b\($0)" }

        private static func report(
            _ path: String, _ daemon: DaemonProcess, headers: [(String, String)] = []
        ) throws -> Report {
            let answer = try HTTPClient(daemon.http).request("GET", path, headers: headers)
            guard answer.status == 200 else { throw TestSupportError(message: "\(path): \(answer.text)") }
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Report.self, from: Data(answer.body))
        }

        private static func event(_ type: String, _ user: Int, _ time: String, _ payload: String = "{}") -> String {
            #"{"event_type":"\#(type)","user_id":"\#(users[user])","created_at":"2026-11-\#(time)Z","payload":\#(payload)}"#
        }

        private static func send(_ lines: [String], to daemon: DaemonProcess) throws {
            let answer = try HTTPClient(daemon.http).postEvents(
                Array((lines.joined(separator: "\n") + "\n").utf8), query: "?ack=committed")
            #expect(answer.status == 200, "\(answer.text)")
        }

        private static func started(_ settings: [String: String] = [:], _ name: String = #function) throws
            -> Installation
        {
            let packs = ["projections.packs": #"["product"]"#]
            let installation = try Installation(name, settings: packs.merging(settings) { $1 })
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            try installation.daemon.start()
            return installation
        }

        private static let span = "from=2026-11-01&to=2026-12-01"

        @Test func `persons who are joined later are one in every report, and an erased one is none`() throws {
            let installation = try Self.started()
            let daemon = installation.daemon
            // The first two ids are one person's, which nobody says yet.
            try Self.send(
                [
                    Self.event("seen", 0, "02T10:00:00"), Self.event("bought", 1, "02T10:20:00"),
                    Self.event("seen", 2, "02T10:00:00", #"{"plan":{"name":"team"}}"#),
                    Self.event("bought", 2, "20T10:00:00"),
                    Self.event("seen", 3, "09T10:00:00"),
                ], to: daemon)
            let funnel = "/v1/funnels?steps=seen,bought&\(Self.span)"
            #expect(try Self.report(funnel, daemon).items.map(\.n) == [3, 0])
            let sessions = "/v1/sessions?bucket=none&\(Self.span)"
            #expect(try Self.report(sessions, daemon).items.map(\.n) == [5])
            let joined = Self.event(
                "joined", 1, "03T10:00:00", #"{"_millrace":{"source":"test","anonymous_user_id":"\#(Self.users[0])"}}"#)
            try Self.send([joined], to: daemon)
            let after = try Self.report(funnel, daemon)
            #expect(after.items.map(\.n) == [3, 1] && after.items[1].conversion == 0.3333)
            let visits = try Self.report(sessions, daemon).items
            #expect(visits.map(\.n) == [5] && visits[0].bounces == 4 && visits[0].secondsAverage == 240)
            #expect(
                try Self.report("\(funnel)&within=30d&bucket=week&property=plan.name", daemon).items
                    .map { "\($0.bucket ?? "") \($0.value ?? "NULL") \($0.step ?? 0) \($0.n)" } == [
                        "2026-11-02T00:00:00Z  1 1", "2026-11-02T00:00:00Z  2 1", "2026-11-02T00:00:00Z team 1 1",
                        "2026-11-02T00:00:00Z team 2 1", "2026-11-09T00:00:00Z  1 1", "2026-11-09T00:00:00Z  2 0",
                    ])
            #expect(
                try Self.report("/v1/retention?periods=3&from=2026-11-02&to=2026-11-16", daemon).items
                    .map { "\($0.cohort?.prefix(10) ?? "") \($0.period ?? -1) \($0.n)" } == [
                        "2026-11-02 0 2", "2026-11-02 1 0", "2026-11-02 2 1", "2026-11-09 0 1", "2026-11-09 1 0",
                        "2026-11-09 2 0",
                    ])
            let paths = try Self.report("/v1/paths?type=seen&\(Self.span)", daemon).items
            #expect(paths.map { "\($0.path ?? []) \($0.n)" } == [#"["seen"] 2"#, #"["seen", "bought"] 1"#])

            let erased = try daemon.run("users", "erase", Self.users[0], "--yes", "--quiet")
            #expect(erased.isSuccess, "\(erased.errors)")
            #expect(try Self.report(funnel, daemon).items.map(\.n) == [2, 0])
            // A pseudonym stands in its place where another's event named it.
            #expect(
                try installation.auditor.integer(
                    """
                    SELECT count(*) FROM projections.product_identities WHERE '\(Self.users[0])' IN (user_id, person_id)
                    """) == 0)
            let recount = try daemon.run("projections", "verify")
            #expect(recount.isSuccess, "\(recount.output) \(recount.errors)")
            let rebuild = try daemon.run("projections", "rebuild", "product")
            #expect(rebuild.isSuccess, "\(rebuild.errors)")
            #expect(try Self.report(funnel, daemon).items.map(\.n) == [2, 0])
            try installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `an answer is given again until an event comes into its days, and by max_age a while longer`() throws
        {
            let installation = try Self.started()
            let daemon = installation.daemon
            try Self.send([Self.event("seen", 0, "02T10:00:00"), Self.event("seen", 1, "20T10:00:00")], to: daemon)
            let path = "/v1/paths?from=2026-11-01&to=2026-11-10"
            let first = try Self.report(path, daemon)
            #expect(try Self.report(path, daemon).asOf == first.asOf)
            // Of another day, and nobody is joined.
            try Self.send([Self.event("seen", 0, "21T10:00:00")], to: daemon)
            #expect(try Self.report(path, daemon).asOf == first.asOf)
            try Self.send([Self.event("seen", 0, "03T10:00:00")], to: daemon)
            #expect(try Self.report("\(path)&max_age=3600", daemon).asOf == first.asOf)
            let second = try Self.report(path, daemon)
            #expect(second.asOf > first.asOf && second.items.map(\.n) == [2])
            // Another day's event joins persons.
            try Self.send(
                [Self.event("x", 0, "22T10:00:00", #"{"_millrace":{"previous_user_id":"\#(Self.users[3])"}}"#)],
                to: daemon)
            #expect(try Self.report(path, daemon).asOf > second.asOf)
            // Twenty at once are answered by whoever made it, and all the same.
            try Self.send([Self.event("seen", 0, "04T10:00:00")], to: daemon)
            let readers = (0..<20).map { _ in
                BackgroundThread {
                    let counts = try Self.report(path, daemon).items.map(\.n)
                    #expect(counts == [3])
                }
            }
            for reader in readers { try reader.join() }
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `what can't be asked is refused with what is wanted, and a user's own token asks for none`() throws {
            let installation = try Self.started([
                "jwt.secret": "\"\(BearerToken.secret)\"", "api.report_range_max": "\"10d\"",
            ])
            let daemon = installation.daemon
            let service = BearerToken(subject: Self.users[0], role: "service_role").header
            for (path, word) in [
                ("/v1/funnels", "steps is wanted"), ("/v1/funnels?steps=a", "2 to 10 event types"),
                ("/v1/funnels?steps=a,,b", "2 to 10 event types"), ("/v1/funnels?steps=%5B1%5D", "2 to 10 event types"),
                ("/v1/funnels?steps=a,b&within=1y", "such as 30m or 7d"),
                ("/v1/funnels?steps=a,b&within=367d", "at most 366d"),
                ("/v1/funnels?steps=a,b&property=password_hash", "no passwords"),
                ("/v1/funnels?steps=a,b&bucket=year", "one of none, hour"),
                ("/v1/retention?periods=101", "from 1 to 100"),
                ("/v1/sessions?gap=0m", "such as 30m or 7d"), ("/v1/paths?length=11", "from 1 to 10"),
                ("/v1/paths?from=2026-11-02&to=2026-11-02", "before to"),
                ("/v1/sessions?from=2026-11-01&to=2026-11-20", "at most 10 days before to (api.report_range_max)"),
                ("/v1/retention?perod=week", "did you mean period"),
            ] {
                let answer = try HTTPClient(daemon.http).request("GET", path, headers: [service])
                #expect(answer.status == 400 && answer.text.contains(word), "\(path): \(answer.text)")
            }
            #expect(
                try Self.report(#"/v1/funnels?steps=%5B%22a%2Cb%22,%22c%22%5D"#, daemon, headers: [service]).items
                    .isEmpty)
            let own = BearerToken(subject: Self.users[0]).header
            for path in ["/v1/funnels?steps=a,b", "/v1/retention", "/v1/sessions", "/v1/paths"] {
                let answer = try HTTPClient(daemon.http).request("GET", path, headers: [own])
                #expect(answer.status == 403 && answer.text.contains("missing_scope"), "\(path): \(answer.text)")
            }
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `without the pack its routes say how to load it`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let answer = try HTTPClient(installation.daemon.http).request("GET", "/v1/sessions")
            #expect(answer.status == 404 && answer.text.contains("projections.packs"), "\(answer.text)")
            #expect(try installation.daemon.stop() == .status(0))
        }
    }
}
