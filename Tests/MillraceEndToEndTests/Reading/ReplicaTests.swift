import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Reads of two standbys, of which one falls behind, goes away, or never gets what somebody has written.
    struct ReplicaTests {
        /// A primary with standbys that are read, and a daemon on it.
        private struct Pair {
            let cluster: TestCluster
            let standbys: [TestStandby]
            let database: TestDatabase
            let daemon: DaemonProcess

            init(_ name: String = #function, standbys count: Int, settings: [String: String]) throws {
                let cluster = try TestCluster(isDurable: false)
                let database = try cluster.database(name, hasPacks: true)
                let standbys = try (1...count).map { try TestStandby(of: cluster, name: "reader\($0)") }
                let urls = standbys.map { DaemonSettings.quoted($0.database(database).connectionString) }
                (self.cluster, self.standbys, self.database) = (cluster, standbys, database)
                var all = ["api.read_url": "[\(urls.joined(separator: ", "))]", "api.lag_interval": "\"50ms\""]
                all.merge(settings) { $1 }
                daemon = try DaemonProcess(databaseURL: database.connectionString, settings: all)
                try daemon.start()
                try daemon.waitUntil("/readyz")
            }

            /// Whether these replicas (from 1) are read, and the others are not.
            func reads(_ replicas: Set<Int>) throws -> Bool {
                let metrics = try daemon.metrics()
                return (1...standbys.count).allSatisfy { replica in
                    metrics.count("millrace_read_replica_up", "replica=\"\(replica)\"")
                        == (replicas.contains(replica) ? 1 : 0)
                }
            }

            func chosen(_ server: String) throws -> Int {
                try daemon.metrics().count("millrace_read_chosen_total", "replica=\"\(server)\"") ?? -1
            }

            func replay(_ standby: Int, _ isOn: Bool) throws {
                try standbys[standby].superuser().execute("SELECT pg_wal_replay_\(isOn ? "resume" : "pause")()")
            }
        }

        private struct Accepted: Decodable {
            var position: String?
        }

        private static func post(
            _ type: String, _ daemon: DaemonProcess, ack: String = "committed", key: String? = nil, user: Int = 0
        ) throws -> String {
            let headers =
                [("Content-Type", "application/json")] + (key.map { [("Authorization", "Bearer \($0)")] } ?? [])
            let line = #"{"event_type":"\#(type)","user_id":"843d440a-a7a7-45ee-96df-3568c37384b\#(user)"}"#
            let answer = try HTTPClient(daemon.http).request(
                "POST", "/v1/events?ack=\(ack)&position=true", headers: headers, body: Array(line.utf8))
            #expect([200, 202].contains(answer.status), "\(answer.text)")
            return try #require(try JSONDecoder().decode(Accepted.self, from: Data(answer.body)).position)
        }

        private static func get(_ path: String, _ daemon: DaemonProcess, key: String? = nil) throws -> HTTPResponse {
            try HTTPClient(daemon.http).request(
                "GET", path, headers: key.map { [("Authorization", "Bearer \($0)")] } ?? [])
        }

        @Test func `the replica that is least behind is read, and database.url where none is fit`() throws {
            let pair = try Pair(standbys: 2, settings: ["api.max_lag": "\"5s\""])
            let daemon = pair.daemon
            #expect(try eventually { try pair.reads([1, 2]) })
            for _ in 0..<20 {
                let answer = try Self.get("/v1/packs", daemon)
                let lag = try #require(answer.headers["x-replica-lag"].flatMap { Double($0) })
                #expect(answer.status == 200 && lag <= 5)
            }
            let counts = try [pair.chosen("1"), pair.chosen("2"), pair.chosen("primary")]
            #expect(counts.reduce(0, +) == 20 && counts[0] + counts[1] > counts[2], "\(counts)")

            // The second one stands still while something is written.
            try pair.replay(1, false)
            _ = try Self.post("replica.one", daemon)
            #expect(try eventually { try pair.reads([1]) }, "\(daemon.log.suffix(2000))")
            #expect(daemon.log.contains("replica not read") && daemon.log.contains("further behind"))
            #expect(try eventually { try Self.get("/v1/events", daemon).text.contains("replica.one") })
            let second = try pair.chosen("2")
            for _ in 0..<10 {
                #expect(try Self.get("/v1/events", daemon).text.contains("replica.one"))
            }
            #expect(try pair.chosen("2") == second)

            // The first one is gone: a request that is under way then is answered all the same.
            let primary = try pair.chosen("primary")
            try pair.standbys[0].cluster.stop(mode: .immediate)
            for _ in 0..<10 {
                let answer = try Self.get("/v1/events", daemon)
                #expect(answer.status == 200 && answer.text.contains("replica.one"), "\(answer.text)")
            }
            #expect(try eventually { try pair.reads([]) })
            let answer = try Self.get("/v1/events", daemon)
            #expect(answer.headers["x-replica-lag"] == "0.000" && answer.text.contains("replica.one"))
            #expect(try pair.chosen("primary") > primary)

            // The second one catches up; then the primary dies, and reading goes on.
            try pair.replay(1, true)
            #expect(try eventually { try pair.reads([2]) })
            try pair.cluster.stopImmediately()
            #expect(try eventually { try daemon.metrics().count("millrace_postgresql_up") == 0 })
            for _ in 0..<10 {
                let answer = try Self.get("/v1/events", daemon)
                #expect(answer.status == 200 && answer.text.contains("replica.one"), "\(answer.text)")
            }
            #expect(try pair.reads([2]))
        }

        @Test func `with after an answer holds what was written, of the primary where the replica lacks it`() throws {
            let pair = try Pair(standbys: 1, settings: ["api.max_lag": "\"1h\"", "api.after_wait": "\"200ms\""])
            let daemon = pair.daemon
            _ = try Self.post("after.old", daemon)
            #expect(try eventually { try pair.reads([1]) })
            #expect(try eventually { try Self.get("/v1/events", daemon).text.contains("after.old") })
            try pair.replay(0, false)
            let position = try Self.post("after.new", daemon)
            let isOld = try eventually {
                let plain = try Self.get("/v1/events", daemon)
                #expect(plain.status == 200 && plain.text.contains("after.old"))
                return !plain.text.contains("after.new")
            }
            #expect(isOld)
            let own = try Self.get("/v1/events?after=\(position)", daemon)
            #expect(own.status == 200 && own.text.contains("after.new"), "\(own.text)")
            #expect(own.headers["x-replica-lag"] == "0.000")

            // As soon as the replica has it, it is read there.
            try pair.replay(0, true)
            let isOfReplica = try eventually {
                let before = try pair.chosen("1")
                let answer = try Self.get("/v1/events?after=\(position)", daemon)
                #expect(answer.status == 200 && answer.text.contains("after.new"), "\(answer.text)")
                return try pair.chosen("1") > before
            }
            #expect(isOfReplica)
            // What was settled before this position is not asked for.
            #expect(try Self.get("/v1/events?type=after.old&after=\(position)", daemon).text.contains("after.old"))
        }

        @Test func `a position that does not get into PostgreSQL is 503, and is there once it does`() throws {
            let installation = try Installation(settings: ["api.after_wait": "\"100ms\""])
            let daemon = installation.daemon
            try daemon.start()
            _ = try Self.post("wait.first", daemon)
            let lock = try installation.database.connect()
            try lock.execute("BEGIN; LOCK TABLE public.analytics_events IN SHARE MODE")
            let position = try Self.post("wait.second", daemon, ack: "spooled")
            #expect(try Self.get("/v1/events", daemon).text.contains("wait.first"))
            let late = try Self.get("/v1/events?after=\(position)", daemon)
            #expect(late.status == 503 && late.text.contains("position_not_committed"), "\(late.text)")
            #expect(late.headers["retry-after"] != nil)
            #expect(
                try daemon.metrics().count("millrace_read_refused_total", "reason=\"position_not_committed\"") == 1)
            try lock.execute("ROLLBACK")
            let isThere = try eventually {
                let answer = try Self.get("/v1/events?after=\(position)", daemon)
                // Never an answer without it.
                #expect(answer.status == 503 || answer.text.contains("wait.second"), "\(answer.text)")
                return answer.status == 200
            }
            #expect(isThere)
            // It outlives the daemon, and a neighbour of the same key reads it.
            #expect(try daemon.stop() == .status(0))
            try daemon.start()
            #expect(
                try eventually {
                    try Self.get("/v1/counts/analytics/events_by_hour?after=\(position)", daemon).status == 200
                })
        }

        @Test func `a position of a large body covers all of its lines, and a save has one too`() throws {
            let user = "843d440a-a7a7-45ee-96df-3568c37384b9"
            let installation = try Installation(
                settings: ["http.submission_bytes": "\"64KiB\"", "jwt.secret": "\"\(BearerToken.secret)\""])
            let daemon = installation.daemon
            try daemon.start()
            let lines = (0..<5000).map { "{\"event_type\":\"large\",\"payload\":{\"n\":\($0)}}\n" }.joined()
            let answer = try HTTPClient(daemon.http).postEvents(Array(lines.utf8), query: "?position=true")
            let position = try #require(
                try JSONDecoder().decode(Accepted.self, from: Data(answer.body)).position, "\(answer.text)")
            let token = BearerToken(subject: user, role: "service_role").header
            /// Until it is in PostgreSQL; never an answer that lacks it.
            func read(_ path: String, holds text: String) throws -> Bool {
                try eventually {
                    let answer = try HTTPClient(daemon.http).request("GET", path, headers: [token])
                    #expect(answer.status == 503 || answer.text.contains(text), "\(answer.text)")
                    return answer.status == 200
                }
            }
            #expect(try read("/v1/counts/analytics/events_by_hour?bucket=none&after=\(position)", holds: "\"n\":5000"))

            let save =
                #"{"conversation_id":"c","question":"Is it there?","response":"Yes.","user_id":"\#(user)"}"#
            let saved = try HTTPClient(daemon.http).request(
                "POST", "/api/v1/conversations/save?position=true",
                headers: [("Content-Type", "application/json"), token], body: Array(save.utf8))
            #expect(saved.status == 201, "\(saved.text)")
            let place = try #require(try JSONDecoder().decode(Accepted.self, from: Data(saved.body)).position)
            #expect(try read("/v1/conversations?user_id=\(user)&after=\(place)", holds: "Is it there?"))
        }

        @Test func `a strange position is 400, a tenant's is nobody else's, and without one nothing is told`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let plain = try HTTPClient(daemon.http).request(
                "POST", "/v1/events", headers: [("Content-Type", "application/json")],
                body: Array(#"{"event_type":"a"}"#.utf8))
            #expect(plain.status == 202 && !plain.text.contains("position"))
            let wrong = try HTTPClient(daemon.http).request(
                "POST", "/v1/events?position=yes", headers: [("Content-Type", "application/json")],
                body: Array(#"{"event_type":"a"}"#.utf8))
            #expect(wrong.status == 400 && wrong.text.contains("invalid_ack"))
            let none = try HTTPClient(daemon.http).request(
                "POST", "/v1/events?position=true", headers: [("Content-Type", "application/json")],
                body: Array("[]".utf8))
            #expect(none.status == 202 && !none.text.contains("position"), "\(none.text)")

            for tenant in [1, 2] {
                #expect(try daemon.run("tenants", "create", "t\(tenant)", "--id", "\(tenant)").isSuccess)
            }
            func key(_ tenant: Int) throws -> String {
                let made = try MadeKey.create(on: daemon, "--scope", "admin", "--tenant", "\(tenant)")
                guard let key = made.key else { throw UnexpectedAnswer(text: "no key") }
                return key
            }
            let (own, foreign) = (try key(1), try key(2))
            #expect(eventually { daemon.status(key: own) == 202 && daemon.status(key: foreign) == 202 })
            let position = try Self.post("of.one", daemon, key: own)
            #expect(try Self.get("/v1/events?after=\(position)", daemon, key: own).status == 200)
            let shifted = (position.hasPrefix("A") ? "B" : "A") + position.dropFirst()
            for bad in [shifted, "1", "-1", "9223372036854775807", "%00", "'", String(repeating: "A", count: 5000)] {
                let answer = try Self.get("/v1/events?after=\(bad)", daemon, key: own)
                #expect(answer.status == 400, "\(bad): \(answer.text)")
            }
            let others = try Self.get("/v1/events?after=\(position)", daemon, key: foreign)
            #expect(others.status == 400 && others.text.contains("invalid_position"), "\(others.text)")
            let months = try Self.get("/v1/months?after=\(position)", daemon, key: own)
            #expect(months.status == 400 && months.text.contains("unknown_parameter"))
            let twice = try Self.get("/v1/events?after=\(position)&after=\(position)", daemon, key: own)
            #expect(twice.status == 400 && twice.text.contains("duplicate_parameter"))
            // A cursor goes on whatever its pages want to hold.
            struct Page: Decodable { var next: String? }
            _ = try Self.post("of.two", daemon, key: own)
            let first = try Self.get("/v1/events?limit=1&after=\(position)", daemon, key: own)
            let next = try #require(try JSONDecoder().decode(Page.self, from: Data(first.body)).next)
            #expect(try Self.get("/v1/events?limit=1&cursor=\(next)", daemon, key: own).status == 200)
        }

        @Test func `a report that was kept before is not given for what was written since`() throws {
            struct Report: Decodable {
                struct Item: Decodable { var n: Int }
                var items: [Item]
            }
            let installation = try Installation(settings: ["projections.packs": #"["product"]"#])
            let daemon = installation.daemon
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.start()
            let path = "/v1/sessions?from=2026-01-01&to=2030-01-01&bucket=none&max_age=3600"
            func sessions(_ query: String = "") throws -> Int {
                let answer = try Self.get(path + query, daemon)
                #expect(answer.status == 200, "\(answer.text)")
                return try JSONDecoder().decode(Report.self, from: Data(answer.body)).items.reduce(0) { $0 + $1.n }
            }
            _ = try Self.post("seen", daemon, user: 1)
            #expect(try sessions() == 1)
            let position = try Self.post("seen", daemon, user: 2)
            #expect(try sessions() == 1, "it was asked for no younger one")
            #expect(try sessions("&after=\(position)") == 2)
        }
    }
}
