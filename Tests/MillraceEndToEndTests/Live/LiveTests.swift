import Foundation
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct LiveTests {
        @Test func `ticks count what comes in and goes out, and what is refused`() throws {
            let installation = try Installation(settings: ["live.interval": "\"200ms\""])
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let stream = try StreamClient("/v1/live", at: daemon.http)
            #expect(stream.status == 200 && stream.headers["content-type"] == "text/event-stream; charset=utf-8")
            let first = try stream.tick()
            #expect(first.value("readiness", "ready") == true && first["scope"] as? String == "all")
            #expect(
                first.value("rates", as: NSNull.self) != nil && first.value("interval_seconds", as: NSNull.self) != nil)
            #expect(first.value("lines", "accepted") == 0 && first.value("senders", "by") == "tenant")
            #expect((first["version"] as? String)?.isEmpty == false)

            let client = try TCPClient(daemon.tcp, acks: "committed")
            let lines = (0..<100).map { "{\"event_type\":\"a\",\"payload\":{\"n\":\($0)}}" } + ["nonsense", ""]
            try client.send(Array(lines.joined(separator: "\n").utf8))
            try client.waitForAck(101)
            let tick = try stream.tick { $0.value("lines", "committed") == 100 && $0.value("lines", "refused") == 1 }
            #expect(tick.value("lines", "accepted") == 100 && tick.value("lines", "received") == 101)
            #expect(tick.value("conservation", "holds") == true)
            #expect(tick.value("rates", "accepted", as: Double.self) != nil)
            #expect(tick.value("bytes_received", as: Int.self) ?? 0 > 3000)
            let refusals = tick["refusals"] as? [[String: Any]] ?? []
            #expect(refusals.count == 1 && refusals[0]["code"] as? String == "invalid_json")
            let stages = (tick["latency"] as? [[String: Any]] ?? []).compactMap { $0["stage"] as? String }
            #expect(
                stages == [
                    "received_to_durable", "durable_to_committed", "received_to_committed", "spool_queue", "fsync",
                    "writer_queue", "copy", "projection", "commit",
                ])
            let senders = tick.value("senders", "items", as: [[String: Any]].self) ?? []
            #expect(senders.count == 1 && senders[0]["tenant"] as? Int == 0 && senders[0]["lines"] as? Int == 100)
            // The months ahead are made beside.
            _ = try stream.tick { $0.value("months", "ahead") ?? 0 > 0 }
            #expect((tick["writers"] as? [[String: Any]] ?? []).allSatisfy { $0["state"] as? String == "idle" })
            #expect(tick.value("live", "watchers") == 1)
            let connections = tick["connections"] as? [[String: Any]] ?? []
            #expect(connections.map { $0["open"] as? Int } == [1, 1])
            // The law's sentence is true as it stands.
            let settled = try stream.tick { $0.value("conservation", "in_spool") == 0 }
            let law = settled["conservation"] as? [String: Any] ?? [:]
            let sum = ["committed", "duplicates", "dead", "refused"].reduce(0) { $0 + (law[$1] as? Int ?? 0) }
            #expect(law["in_and_recovered"] as? Int == sum && sum >= 100)
        }

        @Test func `ticks go on while PostgreSQL is away, and say so`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(
                "liveAway", cluster: cluster,
                settings: ["live.interval": "\"200ms\"", "database.stall_after": "\"1s\""])
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let stream = try StreamClient("/v1/live", at: daemon.http)
            _ = try stream.tick { $0.value("database", "up") == true }
            try cluster.stopImmediately()
            #expect(try HTTPClient(daemon.http).postEvents(Array(#"{"event_type":"a"}"#.utf8)).status == 202)
            let tick = try stream.tick { $0.value("readiness", "writing") == false }
            #expect(tick.value("database", "up") == false && tick.value("spool", "uncommitted_lines") == 1)
            #expect(tick.value("readiness", "reason", as: String.self)?.isEmpty == false)
            #expect(tick.value("readiness", "since", as: String.self)?.isEmpty == false)
            #expect(tick.value("spool", "oldest_uncommitted_seconds", as: Double.self) ?? 0 > 0)
            try cluster.start()
            let again = try stream.tick {
                $0.value("readiness", "writing") == true && $0.value("spool", "uncommitted_lines") == 0
            }
            #expect(again.value("lines", "committed") == 1 && again.value("conservation", "holds") == true)
        }

        @Test func `a tick shows a tenant what is its own, and who administers everything`() throws {
            let installation = try Installation(
                settings: ["live.interval": "\"200ms\"", "auth.refresh_interval": "\"100ms\""])
            let daemon = installation.daemon
            try daemon.start()
            struct Tenant: Decodable {
                var id: Int
            }
            func made(_ name: String, _ arguments: String...) throws -> MadeKey {
                try daemon.run(["keys", "create", "--name", name, "--json"] + arguments).report(MadeKey.self)
            }
            let first = try made("first", "--scope", "write", "--scope", "read")
            let firstKey = try #require(first.key)
            #expect(eventually { daemon.status(key: firstKey) == 202 })
            // Nobody else is there: a reader of tenant 0 sees all.
            let early = try StreamClient("/v1/live", at: daemon.http, key: firstKey)
            #expect(try early.tick { $0.value("lines", "accepted") == 1 }["scope"] as? String == "all")

            let number = try daemon.run("tenants", "create", "other", "--json").report(Tenant.self).id
            let other = try made("other", "--scope", "write", "--scope", "read", "--tenant", "other")
            let admin = try made("boss", "--scope", "admin")
            let (otherKey, adminKey) = (try #require(other.key), try #require(admin.key))
            #expect(eventually { daemon.status(key: otherKey) == 202 })
            #expect(eventually { daemon.status(key: otherKey) == 202 })
            let own = try StreamClient("/v1/live", at: daemon.http, key: otherKey).tick {
                $0.value("lines", "committed") ?? 0 >= 2
            }
            #expect(own["scope"] as? String == "tenant" && own["tenant"] as? Int == number)
            #expect(own["refusals"] is NSNull && own["connections"] is NSNull && own["bytes_received"] is NSNull)
            #expect(own.value("lines", "received", as: NSNull.self) != nil)
            #expect(own.value("conservation", "committed", as: NSNull.self) != nil)
            #expect(own.value("conservation", "holds") == true)
            let ownSenders = own.value("senders", "items", as: [[String: Any]].self) ?? []
            #expect(ownSenders.map { $0["name"] as? String } == ["other"])
            #expect(ownSenders.map { $0["key"] as? String } == [other.id])
            // The stream that saw all before sees its own now.
            let late = try early.tick { $0["scope"] as? String == "tenant" }
            #expect(late.value("lines", "accepted") == 1)
            let all = try StreamClient("/v1/live", at: daemon.http, key: adminKey).tick()
            #expect(all["scope"] as? String == "all")
            let names = (all.value("senders", "items", as: [[String: Any]].self) ?? []).map { $0["name"] as? String }
            #expect(Set(names) == ["first", "other"] && all.value("senders", "by") == "key")
            #expect(try StreamClient("/v1/live", at: daemon.http).status == 401)
        }
    }
}
