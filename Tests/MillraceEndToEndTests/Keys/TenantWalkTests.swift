import Foundation
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Two tenants of one daemon: one with rows for every route of `/openapi.json`, the other with none.
    struct TenantWalkTests {
        private static let packs = ["analytics", "conversations", "workspaces", "commerce", "casework", "product"]
        private static let grace = "5eed0000-0000-4000-8000-0000000000a2"
        /// In each event of its own, and in no seed.
        private static let mark = "walk-mark"

        /// Operations that show no rows. What else the document has is asked, or is in `posting`.
        private static let rowless: Set<String> = [
            "GET /livez", "GET /readyz", "GET /metrics", "GET /debug/latency", "GET /openapi.json",
            "GET /api/v1/stats-fast/health", "GET /v1/packs", "POST /v1/reload", "GET /", "GET /session",
            "GET /v1/months", "POST /login", "POST /logout",
        ]
        /// Files of the page, the same for all, and dead letters, which DeadLettersRouteTests walks.
        private static let elsewhere: Set<String> = ["GET /page/{file}", "GET /v1/dead-letters"]
        /// Those want the scope admin, which neither has.
        private static let administrative: Set<String> = [
            "GET /v1/database", "DELETE /v1/users/{id}", "POST /v1/dead-letters/retry",
        ]
        private static let posting: Set<String> = [
            "POST /v1/events", "POST /api/v1/conversations/save", "POST /v1/checkout",
        ]
        /// Their answers go on: `TailTests` and `LiveTests` have two tenants of their own.
        private static let streams: Set<String> = ["GET /v1/tail", "GET /v1/live"]
        /// They take events, and answer with no word of any.
        private static let pictures: Set<String> = [
            "GET /pixel/v1/track", "GET /pixel/v1/page", "GET /p.gif", "GET /millrace.js",
        ]
        private static let ofSDKs = Set(
            [
                "/v1/batch", "/v1/track", "/v1/identify", "/v1/page", "/v1/screen", "/v1/group", "/v1/alias",
                "/v1/merge",
                "/v1/import",
                "/beacon/v1/batch", "/batch", "/capture", "/e", "/i/v0/e", "/track", "/engage", "/i/v0/ai/batch",
                "/i/v1/analytics/events", "/v1/cloudevents", "/v1/logs", "/flags", "/decide",
            ].map { "POST \($0)" })

        private struct Tenant {
            let daemon: DaemonProcess
            let number: Int
            private let key: String

            init(_ name: String, on daemon: DaemonProcess) throws {
                struct Made: Decodable {
                    var id: Int
                }
                self.daemon = daemon
                number = try daemon.run("tenants", "create", name, "--json").report(Made.self).id
                let made = try MadeKey.create(on: daemon, "--scope", "write", "--scope", "read", "--tenant", name)
                key = try #require(made.key)
                let isIn = eventually { [daemon, key] in daemon.status(key: key) == 202 }
                #expect(isIn, "the key of \(name) opens")
            }

            func ask(
                _ method: String, _ path: String, headers: [(String, String)] = [], body: String? = nil
            ) throws -> HTTPResponse {
                try HTTPClient(daemon.http).request(
                    method, path, headers: headers + [("Authorization", "Bearer \(key)")],
                    body: body.map { Array($0.utf8) })
            }

            /// NDJSON, committed before the answer.
            func send(_ lines: String) throws {
                let answer = try ask(
                    "POST", "/v1/events?ack=committed", headers: [("Content-Type", "application/x-ndjson")], body: lines
                )
                #expect(answer.status == 200, "\(answer.text)")
            }

            func object(_ path: String) throws -> [String: Any] {
                let answer = try ask("GET", path)
                guard answer.status == 200 else { throw TestSupportError(message: "\(path): \(answer.text)") }
                return try TenantWalkTests.object(answer)
            }
        }

        private static func object(_ answer: HTTPResponse) throws -> [String: Any] {
            try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any] ?? [:]
        }

        /// A path of the document, made of what the asking tenant can know: names of packs and folds, and keys that it was
        /// told elsewhere. With the examples of what is required.
        private static func places(
            _ path: String, _ operation: [String: Any], folds: [String], keys: (String) throws -> [String]
        ) rethrows -> [String] {
            let parameters = operation["parameters"] as? [[String: Any]] ?? []
            var query: [String] = []
            for parameter in parameters where parameter["in"] as? String == "query" {
                let name = parameter["name"] as? String ?? ""
                // Those of all time have no buckets.
                if name == "from", !path.hasPrefix("/v1/status-counts") { query.append("from=2020-01-01T00:00:00Z") }
                guard parameter["required"] as? Bool == true, let example = parameter["example"] as? String else {
                    continue
                }
                query.append("\(name)=\(example)")
            }
            let suffix = query.isEmpty ? "" : "?" + query.joined(separator: "&")
            guard let brace = path.firstIndex(of: "{") else { return [path + suffix] }
            let own = folds.filter { $0.hasPrefix(path[..<brace]) }
            guard path.hasSuffix("/{key}") else { return own.map { $0 + suffix } }
            return try own.flatMap { fold in try keys(fold).map { "\(fold)/\($0)\(suffix)" } }
        }

        @Test func `a tenant finds nothing of another's on any path of the description`() throws {
            let list = Self.packs.map { "\"\($0)\"" }.joined(separator: ", ")
            let installation = try Installation(
                settings: ["projections.packs": "[\(list)]"])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            let (rich, poor) = (try Tenant("rich", on: daemon), try Tenant("poor", on: daemon))
            let seeds = Self.packs.map { TextFile.read("\(Repository.root)/sql/packs/\($0)/seed.ndjson") }.joined()
            try rich.send(seeds)
            try rich.send(
                #"{"event_type":"\#(Self.mark)","user_id":"\#(Self.grace)","payload":{"\#(Self.mark)":1}}"# + "\n")
            try rich.send(
                #"{"conversation_id":"\#(Self.mark)","question":"\#(Self.mark): chauffage","response":"r","#
                    + #""user_id":"\#(Self.grace)"}"# + "\n")
            // What the tenant has, as it would show.
            let words = Set(
                seeds.matches(of: #/:"([^"]{12,})"/#).map { String($0.output.1) }.filter { !$0.contains(".") }
            )
            .union([Self.mark])
            #expect(words.count > 100)

            let document = try rich.object("/openapi.json")
            let packs = try rich.object("/v1/packs")["items"] as? [[String: Any]] ?? []
            let folds = packs.flatMap { $0["folds"] as? [[String: Any]] ?? [] }.compactMap { $0["path"] as? String }
            #expect(folds.count > 20)
            var (shown, empty): (Set<String>, [String]) = ([], [])
            for (path, item) in document["paths"] as? [String: [String: Any]] ?? [:] {
                for (method, operation) in item {
                    let name = "\(method.uppercased()) \(path)"
                    if [Self.pictures, Self.streams, Self.elsewhere].contains(where: { $0.contains(name) }) {
                        continue
                    }
                    guard !Self.administrative.contains(name) else {
                        let asked = path.replacing("{id}", with: Self.grace)
                        #expect(try poor.ask(method.uppercased(), asked).status == 403, "\(name)")
                        continue
                    }
                    guard method == "get" else {
                        let known = Self.posting.union(Self.rowless).union(Self.ofSDKs)
                        #expect(known.contains(name), "\(name) is not in this test")
                        continue
                    }
                    let places = try Self.places(path, operation as? [String: Any] ?? [:], folds: folds) { fold in
                        let items = try rich.object("\(fold)?limit=1000")["items"] as? [[String: Any]] ?? []
                        return items.compactMap { ($0["id"] ?? $0["user_id"]) as? String }
                    }
                    for place in places {
                        let (own, others) = (try rich.ask("GET", place), try poor.ask("GET", place))
                        #expect(own.status == 200 || own.status == 404, "\(place): \(own.text)")
                        let hasRows = words.contains { own.text.contains($0) }
                        if hasRows || own.text.contains(#""n":"#) { shown.insert(name) }
                        #expect(
                            !words.contains { others.text.contains($0) },
                            "\(place) tells another tenant: \(others.text)")
                        guard !Self.rowless.contains(name) else { continue }
                        #expect([200, 404].contains(others.status), "\(place): \(others.text)")
                        let items = try Self.object(others)["items"] as? [Any] ?? []
                        // Its own key was tried with an event.
                        let isOwn = items.allSatisfy { "\($0)".contains("key.test") }
                        let isOne = others.text.contains(#""n":1}],"next":null"#) && path.hasPrefix("/v1/counts")
                        #expect(isOwn || isOne, "\(place): \(others.text)")
                        if let next = try Self.object(own)["next"] as? String {
                            let answer = try poor.ask("GET", "\(place)\(place.contains("?") ? "&" : "?")cursor=\(next)")
                            #expect(answer.status == 400, "\(place) goes on with another's cursor: \(answer.text)")
                        }
                        if items.isEmpty { empty.append(place) }
                    }
                    if places.isEmpty { Issue.record("nothing of \(name) was asked") }
                }
            }
            let wanted = Set(
                (document["paths"] as? [String: [String: Any]] ?? [:]).filter { $0.value["get"] != nil }.keys.map {
                    "GET \($0)"
                })
            #expect(
                wanted.subtracting(Self.rowless.union(Self.administrative).union(Self.pictures).union(Self.streams))
                    .subtracting(Self.elsewhere)
                    .subtracting(shown)
                    == [],
                "the first tenant has no rows there")
            #expect(empty.count > 20)
            try post(rich, poor, auditor)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        /// The same as the other tenant's, by the one that has nothing.
        private func post(_ rich: Tenant, _ poor: Tenant, _ auditor: Auditor) throws {
            let event =
                #"{"id":"5eed0004-0000-4000-8000-000000000001","event_type":"walk.same","created_at":"2026-11-01T00:00:00Z"}"#
                + "\n"
            try rich.send(event)
            try poor.send(event)
            #expect(
                try auditor.strings(
                    "SELECT tenant_id::text FROM analytics_events WHERE event_type = 'walk.same' ORDER BY 1")
                    == ["\(rich.number)", "\(poor.number)"].sorted(), "an id of another tenant's is no duplicate")
            for (tenant, user) in [(rich, Self.grace), (poor, "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70")] {
                let saved = try tenant.ask(
                    "POST", "/api/v1/conversations/save", headers: [("Content-Type", "application/json")],
                    body: #"{"conversation_id":"walk","question":"q","response":"r","user_id":"\#(user)","#
                        + #""timestamp":"2026-11-01T00:00:00Z"}"#)
                #expect(saved.status == 201, "\(saved.text)")
            }
            try auditor.waitForSaves(of: "walk", count: 2)
            let order = try poor.ask(
                "POST", "/v1/checkout", headers: [("Content-Type", "application/json"), ("Idempotency-Key", "walk-1")],
                body: #"{"user_id":"\#(Self.grace)"}"#)
            #expect(order.status == 409 && order.text.contains("MR003"), "its cart is another's: \(order.text)")
            #expect(
                try auditor.integer("SELECT count(*) FROM projections.commerce_orders WHERE idempotency_key = 'walk-1'")
                    == 0)
            for tenant in [rich, poor] {
                let own = try tenant.object("/v1/events?type=walk.same&from=2026-10-01T00:00:00Z")["items"] as? [Any]
                #expect(own?.count == 1, "each has its own event of that id")
            }
        }
    }
}

extension Auditor {
    fileprivate func waitForSaves(of conversation: String, count: Int) throws {
        let isThere = try eventually {
            try integer("SELECT count(*) FROM conversations WHERE conversation_id = '\(conversation)'") == count
        }
        #expect(isThere)
    }
}
