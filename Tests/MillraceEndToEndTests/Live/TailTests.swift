import Foundation
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct TailTests {
        private static let grace = "5eed0000-0000-4000-8000-0000000000a2"

        /// Sends events, committed when it returns.
        private func send(_ lines: [String], to daemon: DaemonProcess, key: String? = nil) throws {
            var headers = [("Content-Type", "application/x-ndjson")]
            if let key { headers.append(("Authorization", "Bearer \(key)")) }
            let answer = try HTTPClient(daemon.http).request(
                "POST", "/v1/events?ack=committed", headers: headers, body: Array(lines.joined(separator: "\n").utf8))
            #expect(answer.status == 200, "\(answer.text)")
        }

        /// So many lines of some 2 KB.
        private func large(_ count: Int) -> [UInt8] {
            let text = String(repeating: "x", count: 2000)
            return Array(
                repeatElement("{\"event_type\":\"large\",\"payload\":{\"a\":\"\(text)\"}}\n", count: count).joined()
                    .utf8)
        }

        @Test func `an event is shown as the read API shows it, and only what a filter wants`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let all = try StreamClient("/v1/tail", at: daemon.http)
            #expect(all.status == 200 && all.headers["content-type"] == "text/event-stream; charset=utf-8")
            #expect(all.headers["cache-control"] == "no-store")
            let typed = try StreamClient("/v1/tail?type=b", at: daemon.http)
            let user = try StreamClient("/v1/tail?user_id=\(Self.grace.uppercased())", at: daemon.http)
            let held = try StreamClient(
                "/v1/tail?payload=%7B%22a%22%3A%5B%7B%22c%22%3A1e0%7D%5D%7D", at: daemon.http)
            let lines = [
                #"{"event_type":"a","payload":{"a":[{"b":1},{"c":1.0}],"password":"secret","é\u00e9":"\u001b[2J\t\u2028"}}"#,
                #"{"event_type":"b","user_id":"\#(Self.grace)","payload":{"a":1.50,"n":12345678901234567890.10,"b":{"a":[]}}}"#,
                "{\"event_type\":\"b\",\"payload\":{\"a\":\r[2],\"d\":1,\"d\":2}}",
                #"{"id":"a5eed000-0000-4000-8000-00000000000d","event_type":"a\"\\","payload":{"a":[{"c":2},{"c":10e-1,"d":3}]}}"#,
                #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(Self.grace)"}"#,
            ]
            try send(lines, to: daemon)
            let shown = try (0..<4).map { _ in try all.event() }
            #expect(Set(shown.map { $0.object["event_type"] as? String }) == ["a", "b", "a\"\\"])
            let read = try HTTPClient.get("/v1/events", at: daemon.http)
            let page = try JSONSerialization.jsonObject(with: Data(read.body)) as? [String: Any] ?? [:]
            let items = page["items"] as? [[String: Any]] ?? []
            #expect(items.count == 4)
            for item in items {
                let id = item["id"] as? String
                let event = try #require(shown.first { $0.object["id"] as? String == id })
                #expect(event.object as NSDictionary == item as NSDictionary)
            }
            #expect(!shown.contains { $0.data.contains("secret") })

            #expect(try typed.event().object["event_type"] as? String == "b")
            #expect(try typed.event().object["event_type"] as? String == "b")
            #expect(try user.event().object["user_id"] as? String == Self.grace)
            #expect(try held.event().object["event_type"] as? String == "a")
            #expect(try held.event().object["event_type"] as? String == "a\"\\")
            // The next of each is the next that it wants: nothing else came between.
            try send(
                [#"{"event_type":"b","user_id":"\#(Self.grace)","payload":{"a":[{"c":1}],"last":true}}"#], to: daemon)
            for stream in [all, typed, user, held] {
                #expect(try stream.event().object.value("payload", "last") == true)
            }
        }

        @Test func `nothing is shown before it is committed`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(
                "tailCommitted", cluster: cluster, settings: ["live.heartbeat": "\"1s\""])
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let stream = try StreamClient("/v1/tail", at: daemon.http)
            try cluster.stopImmediately()
            let accepted = try HTTPClient(daemon.http).postEvents(Array(#"{"event_type":"kept"}"#.utf8))
            #expect(accepted.status == 202)
            // Two heartbeats, and nothing between.
            for _ in 0..<2 { #expect(try stream.next(afterHeartbeat: true) == nil) }
            #expect(!stream.isEnded)
            try cluster.start()
            let event = try stream.next()
            #expect(event?.object["event_type"] as? String == "kept")
            #expect(try installation.auditor.events == 1)
        }

        @Test func `a stream begins with the past, goes on without a gap, and comes back where it was`() throws {
            let installation = try Installation(settings: ["live.catch_up_rows": "3"])
            let daemon = installation.daemon
            try daemon.start()
            func numbered(_ number: Int) -> String { "{\"event_type\":\"n\",\"payload\":{\"n\":\(number)}}" }
            func number(_ message: StreamClient.Message?) -> Int? { message?.object.value("payload", "n") }
            for number in 1...2 { try send([numbered(number)], to: daemon) }
            let stream = try StreamClient("/v1/tail?type=n&since=2020-01-01", at: daemon.http)
            #expect(try number(stream.next()) == 1)
            #expect(try number(stream.next()) == 2)
            #expect(try stream.next() == .init(name: "live", data: #"{"caught_up":2}"#))
            try send([numbered(3)], to: daemon)
            let third = try stream.event()
            #expect(number(third) == 3)
            for number in 4...5 { try send([numbered(number)], to: daemon) }
            // More than it begins with: the newest, and word of the others.
            let short = try StreamClient("/v1/tail?type=n&since=2020-01-01", at: daemon.http)
            #expect(try short.next() == .init(name: "dropped", data: #"{"count":null,"total":0}"#))
            #expect(try (0..<3).map { _ in try number(short.next()) } == [3, 4, 5])
            #expect(try short.next()?.name == "live")

            let again = try StreamClient("/v1/tail?type=n", at: daemon.http, lastID: third.id)
            var seen: [Int] = []
            while let message = try again.next(), message.name != "live" {
                if let number = number(message) { seen.append(number) }
            }
            // What came since, and perhaps some before.
            #expect(seen.suffix(2) == [4, 5])
            #expect(try StreamClient("/v1/tail", at: daemon.http, lastID: "x").status == 400)
        }

        @Test func `a stream is its tenant's alone, and ends with its key`() throws {
            let installation = try Installation(settings: ["auth.refresh_interval": "\"100ms\""])
            let daemon = installation.daemon
            try daemon.start()
            // Nobody asked it for a key.
            let open = try StreamClient("/v1/tail", at: daemon.http)
            let both = ["--scope", "write", "--scope", "read", "--json"]
            func made(_ arguments: [String]) throws -> MadeKey {
                try daemon.run(["keys", "create"] + arguments).report(MadeKey.self)
            }
            struct Tenant: Decodable {
                var id: Int
            }
            for name in ["one", "two"] {
                #expect(try daemon.run("tenants", "create", name, "--json").report(Tenant.self).id > 0)
            }
            let (one, two) = (try made(both + ["--tenant", "one"]), try made(both + ["--tenant", "two"]))
            let writer = try made(["--scope", "write", "--json"])
            let (oneKey, twoKey) = (try #require(one.key), try #require(two.key))
            #expect(
                try open.next()
                    == .init(
                        name: "end",
                        data:
                            #"{"reason":"unauthenticated","message":"the key or token of this stream is not in force any more"}"#
                    ))
            #expect(try open.next() == nil && open.isEnded)
            #expect(eventually { daemon.status(key: twoKey) == 202 })
            #expect(try StreamClient("/v1/tail", at: daemon.http).status == 401)
            #expect(try StreamClient("/v1/tail", at: daemon.http, key: writer.key).status == 403)

            let stream = try StreamClient("/v1/tail", at: daemon.http, key: oneKey)
            try send([#"{"event_type":"two.first"}"#], to: daemon, key: twoKey)
            let other = try StreamClient("/v1/tail?since=2020-01-01", at: daemon.http, key: twoKey)
            var past: [String?] = []
            while let message = try other.next(), message.name != "live" {
                past.append(message.object["event_type"] as? String)
            }
            #expect(past.last == "two.first" && past.dropLast().allSatisfy { $0 == "key.test" })
            try send([#"{"event_type":"one.only"}"#], to: daemon, key: oneKey)
            try send([#"{"event_type":"two.only"}"#], to: daemon, key: twoKey)
            #expect(try stream.event().object["event_type"] as? String == "one.only")
            #expect(try other.event().object["event_type"] as? String == "two.only")
            try send([#"{"event_type":"one.again"}"#], to: daemon, key: oneKey)
            #expect(try stream.event().object["event_type"] as? String == "one.again")

            #expect(try daemon.run("keys", "revoke", one.id).isSuccess)
            let end = try stream.next()
            #expect(end?.name == "end" && end?.object["reason"] as? String == "unauthenticated")
            #expect(try stream.next() == nil && stream.isEnded)
            try send([#"{"event_type":"two.again"}"#], to: daemon, key: twoKey)
            #expect(try other.event().object["event_type"] as? String == "two.again")
        }

        @Test func `who does not read holds nobody up, and is told how much it missed`() throws {
            let installation = try Installation(
                settings: ["live.queue_bytes": "\"64KiB\"", "http.write_timeout": "\"100s\""])
            let daemon = installation.daemon
            try daemon.start()
            let stuck = try StreamClient("/v1/tail", at: daemon.http, receiveBytes: 4096)
            let filtered = try StreamClient("/v1/tail?type=large", at: daemon.http, receiveBytes: 4096)
            let healthy = try StreamClient("/v1/tail?type=last", at: daemon.http)
            let client = try TCPClient(daemon.tcp, acks: "committed")
            let count = 20_000
            for batch in 0..<20 {
                try client.send(large(count / 20))
                try client.waitForAck(count / 20 * (batch + 1))
            }
            try send([#"{"event_type":"last"}"#], to: daemon)
            #expect(try healthy.event().object["event_type"] as? String == "last")
            let metrics = try daemon.metrics()
            #expect(metrics.count("millrace_live_events_dropped_total") ?? 0 > count)
            #expect(metrics.count("millrace_live_streams", "/v1/tail") == 3)
            // Queues, and what waits for sockets.
            #expect(metrics.count("millrace_memory_used_bytes") ?? .max < 1 << 20)
            for (stream, wanted) in [(stuck, count + 1), (filtered, count)] {
                var (shown, dropped) = (0, 0)
                while shown + dropped < wanted, let message = try stream.next() {
                    if message.name == "dropped" {
                        dropped += message.object["count"] as? Int ?? 0
                        #expect(message.object["total"] as? Int == dropped)
                    } else {
                        shown += 1
                    }
                }
                #expect(shown > 0 && dropped > 0 && shown + dropped == wanted)
            }
            // It is as good as new.
            try send([#"{"event_type":"large","payload":{"after":true}}"#], to: daemon)
            for stream in [stuck, filtered] { #expect(try stream.event().object.value("payload", "after") == true) }
        }

        @Test func `a stop ends every stream, also one that is not read`() throws {
            let installation = try Installation(
                settings: ["intake.drain_limit": "\"60s\"", "http.write_timeout": "\"100s\""])
            let daemon = installation.daemon
            try daemon.start()
            let (tail, live) = (
                try StreamClient("/v1/tail", at: daemon.http), try StreamClient("/v1/live", at: daemon.http)
            )
            let stuck = try StreamClient("/v1/tail", at: daemon.http, receiveBytes: 4096)
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(large(5000))
            try client.waitForAck(5000)
            #expect(eventually { (try? daemon.metrics())?.count("millrace_live_events_dropped_total") ?? 0 > 0 })
            try daemon.process.signal(15)
            var last: StreamClient.Message?
            while let message = try tail.next() { last = message }
            #expect(last?.name == "end" && last?.object["reason"] as? String == "draining")
            while let message = try live.next() { last = message }
            #expect(last?.name == "end" && last?.object["reason"] as? String == "draining")
            // Long before the drain's limit.
            #expect(try daemon.process.waitForExit(within: .seconds(40)) == .status(0))
            withExtendedLifetime(stuck) {}
        }

        @Test func `streams have their bounds, methods and parameters`() throws {
            let installation = try Installation(settings: ["live.streams_max": "2"])
            let daemon = installation.daemon
            try daemon.start()
            let client = HTTPClient(daemon.http)
            let head = try HTTPClient(daemon.http).exchange(
                Array("HEAD /v1/tail HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8))
            #expect(head.status == 200 && head.headers["content-type"] == "text/event-stream; charset=utf-8")
            #expect(head.body.isEmpty)
            for path in ["/v1/tail", "/v1/live"] {
                let answer = try client.request("POST", path, body: [])
                #expect(answer.status == 405 && answer.headers["allow"] == "GET, HEAD", "\(path)")
            }
            let wrong = [
                "/v1/tail?typ=a", "/v1/tail?user_id=a", "/v1/tail?payload=1", "/v1/tail?payload=%7B%22a%22%7D",
                "/v1/tail?payload=%7B%7D%2C%22id%22%3A1", "/v1/tail?payload=%7B%22a%22%3A%22%5Cu0000%22%7D",
                "/v1/tail?since=yesterday", "/v1/live?a=1",
                "/v1/tail?payload=%7B%22a%22%3A%5B\((0..<100).map { "\($0)" }.joined(separator: "%2C"))%5D%7D",
            ]
            for path in wrong { #expect(try client.request("GET", path).status == 400, "\(path)") }
            #expect(eventually { (try? daemon.metrics())?.count("millrace_live_streams") == 0 })
            let streams = [
                try StreamClient("/v1/tail", at: daemon.http), try StreamClient("/v1/live", at: daemon.http),
            ]
            let refused = try client.request("GET", "/v1/tail")
            #expect(refused.status == 503 && refused.text.contains("too_many_streams"))
            #expect(refused.headers["retry-after"] != nil)
            withExtendedLifetime(streams) {}
        }

        @Test func `a reader that is gone gives its place back`() throws {
            let installation = try Installation(settings: ["live.heartbeat": "\"1s\""])
            let daemon = installation.daemon
            try daemon.start()
            do {
                let streams = [
                    try StreamClient("/v1/tail", at: daemon.http), try StreamClient("/v1/live", at: daemon.http),
                ]
                #expect(try daemon.metrics().count("millrace_live_streams") == streams.count)
            }
            #expect(try eventually { try daemon.metrics().count("millrace_live_streams") == 0 })
        }
    }
}
