import FoundationEssentials
import MillraceEvent
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What SDKs look at in answers, and where they put their keys.
    struct SDKDoorTests {
        private static let json = ("Content-Type", "application/json")

        private func post(
            _ daemon: DaemonProcess, _ path: String, _ body: String, _ fields: [(String, String)] = [json]
        ) throws -> HTTPResponse {
            try HTTPClient(daemon.http).request("POST", path, headers: fields, body: Array(body.utf8))
        }

        private static func basic(_ key: String) -> (String, String) {
            ("Authorization", "Basic " + Data("\(key):".utf8).base64EncodedString())
        }

        @Test func `a key is found wherever SDKs put it, and a wrong one nowhere`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            // Before there are keys, any is taken: an app with an SDK must give some.
            let open = try post(daemon, "/v1/batch", #"{"batch":[{"type":"page","userId":"u"}],"writeKey":"any"}"#)
            #expect(open.status == 200 && open.text == #"{"success":true}"#, "\(open.text)")
            #expect(try post(daemon, "/capture/", #"{"event":"e","api_key":"phc_any"}"#).text == #"{"status":1}"#)

            #expect(try daemon.run("tenants", "create", "shop").isSuccess)
            let made = try MadeKey.create(
                on: daemon, "--scope", "write", "--tenant", "shop", "--type", "page", "--type", "seen")
            let key = try #require(made.key)
            #expect(eventually { daemon.status(key: key) != 401 })
            let page = #"{"batch":[{"type":"page","userId":"u"}]"#
            for (path, body, fields) in [
                ("/v1/batch", page + "}", [Self.basic(key)]),
                ("/v1/batch", page + "}", [("Authorization", "Bearer \(key)")]),
                ("/v1/batch", page + #","writeKey":"\#(key)"}"#, []),
                ("/v1/batch", page + #","writeKey":"\#(key)"}"#, [("Authorization", "Bearer oauth.token.1")]),
                ("/beacon/v1/batch?writeKey=\(key)", page + "}", []), ("/v1/page", #"{"writeKey":"\#(key)"}"#, []),
                ("/batch/", #"{"batch":[{"event":"seen"}],"api_key":"\#(key)"}"#, []),
                ("/e/", #"[{"event":"seen","properties":{"token":"\#(key)"}}]"#, []),
                ("/e/?api_key=\(key)", #"{"event":"seen"}"#, []),
                (
                    "/i/v1/analytics/events", #"{"batch":[{"event":"seen","uuid":"u"}]}"#,
                    [("Authorization", "Bearer \(key)")]
                ),
                (
                    "/v1/cloudevents?access_token=\(key)",
                    #"{"specversion":"1.0","id":"1","source":"s","type":"seen"}"#,
                    [("Content-Type", "application/cloudevents+json")]
                ),
            ] as [(String, String, [(String, String)])] {
                let answer = try post(daemon, path, body, fields)
                #expect([200, 202].contains(answer.status), "\(path) \(fields): \(answer.status) \(answer.text)")
            }
            let pixel = try HTTPClient(daemon.http).request("GET", "/pixel/v1/page?writeKey=\(key)&anonymousId=a")
            #expect(
                pixel.status == 200 && pixel.headers["content-type"] == "image/gif"
                    && pixel.body.starts(with: "GIF".utf8))
            try auditor.waitForRows(14)
            #expect(try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE tenant_id = 1") == 12)
            #expect(
                try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE payload::text ~ 'mr_w_'") == 0)

            func failures() throws -> Int {
                try daemon.metrics(key: key).count("millrace_intake_authentications_failed_total", "http") ?? 0
            }
            let failed = try failures()
            let wrong = key.dropLast() + (key.hasSuffix("a") ? "b" : "a")
            for (path, body, fields) in [
                ("/v1/batch", page + "}", []), ("/v1/batch", page + "}", [Self.basic("none")]),
                ("/v1/batch", page + #","writeKey":"\#(wrong)"}"#, []),
                ("/e/", #"{"event":"seen","api_key":"phc_1"}"#, []),
                ("/beacon/v1/batch?writeKey=\(wrong)", page + "}", []),
                ("/v1/cloudevents", "{}", [("Content-Type", "application/cloudevents+json")]),
            ] as [(String, String, [(String, String)])] {
                let answer = try post(daemon, path, body, fields)
                #expect(answer.status == 401, "\(path): \(answer.status) \(answer.text)")
                #expect(answer.text.hasPrefix(#"{"code":"unauthenticated","message":"#), "\(answer.text)")
                #expect(!answer.text.contains(wrong))
            }
            #expect(try failures() == failed + 6)

            // A key that may not send this type: the message is kept, without the key.
            let other = try post(daemon, "/v1/track", #"{"event":"other","writeKey":"\#(key)"}"#)
            #expect(other.status == 200)
            let nameless = try post(daemon, "/v1/track", #"{"x":1,"writeKey":"\#(key)"}"#)
            #expect(nameless.status == 200)
            #expect(eventually { (try? auditor.integer("SELECT count(*) FROM public.dead_letters")) == 2 })
            let letters = try auditor.strings(
                "SELECT concat_ws(' ', code, quarantined, tenant_id, line) FROM public.dead_letters ORDER BY code")
            #expect(letters[0].hasPrefix(#"forbidden_type t 1 {"event_type":"other","#), "\(letters)")
            #expect(letters[1] == #"missing_field t 1 {"x":1}"#, "\(letters)")
            #expect(!letters.joined().contains("mr_w_") && !daemon.log.contains("mr_w_"))
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `each dialect gets the answers that its SDKs look for`() throws {
            let installation = try Installation(settings: ["http.sdk_body_max": "\"64KiB\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            // A bad message among good ones.
            let batch = #"{"batch":[{"event":"good","uuid":"a"},{"event":""},{"event":"\u0000","uuid":"c"},5]}"#
            #expect(try post(daemon, "/batch", batch).text == #"{"status":1}"#)
            let verdicts = try post(daemon, "/i/v1/analytics/events", batch)
            #expect(verdicts.status == 200)
            #expect(
                verdicts.text.hasPrefix(
                    #"{"results":{"a":{"result":"ok"},"c":{"result":"drop","details":"unsupported_text: "#),
                "\(verdicts.text)")
            #expect(eventually { (try? auditor.integer("SELECT count(*) FROM public.dead_letters")) == 3 })
            let beacon = try post(daemon, "/e/?beacon=1", #"{"event":"good"}"#)
            #expect(beacon.status == 204 && beacon.body.isEmpty)
            // Compressed without saying so.
            let packed = try Compression.gzip.compress(Array(#"{"event":"good"}"#.utf8))
            let sniffed = try HTTPClient(daemon.http).request(
                "POST", "/i/v0/e/?compression=gzip-js", headers: [("Content-Type", "text/plain")], body: packed)
            #expect(sniffed.text == #"{"status":1}"#)

            for (path, body, fields, status, code) in [
                ("/v1/batch", "{", [Self.json], 400, "malformed_body"),
                ("/v1/batch", "", [Self.json], 400, "empty_body"),
                ("/batch/", #"{"batch":[]}"#, [Self.json], 400, "empty_body"),
                ("/batch/", "data=%%%", [("Content-Type", "application/x-www-form-urlencoded")], 400, "malformed_body"),
                ("/v1/track", "{}", [("Content-Type", "image/png")], 415, "unsupported_media_type"),
                ("/v1/track", "{}", [Self.json, ("Content-Encoding", "br")], 415, "unsupported_encoding"),
                ("/e/?compression=lz64", "{}", [Self.json], 400, "malformed_body"),
                (
                    "/v1/cloudevents", "{}", [("Content-Type", "application/cloudevents+avro")], 415,
                    "unsupported_media_type"
                ),
                ("/v1/batch", "[\(String(repeating: " ", count: 70_000))]", [Self.json], 413, "body_too_large"),
                (
                    "/v1/cloudevents", "{}", [("Content-Type", "application/cloudevents-batch+json")], 400,
                    "malformed_body"
                ),
            ] as [(String, String, [(String, String)], Int, String)] {
                let answer = try post(daemon, path, body, fields)
                #expect(answer.status == status, "\(path) \(body.prefix(20)): \(answer.status) \(answer.text)")
                let found = try JSONDecoder().decode(SDKProblem.self, from: Data(answer.body))
                #expect(
                    found.code == code && found.error.code == code && found.detail == found.message, "\(answer.text)")
            }
            let flags = try post(daemon, "/flags/?v=2", #"{"token":"phc","distinct_id":"a"}"#)
            #expect(flags.status == 200 && flags.text.contains(#""flags":{}"#))
            #expect(try post(daemon, "/decide/?v=3", "{}").text.contains(#""featureFlags":{}"#))
            #expect(try HTTPClient.get("/v1/batch", at: daemon.http).status == 405)

            // CloudEvents: three modes, and the handshake.
            let event = #"{"specversion":"1.0","id":"1","source":"/s","type":"ce","data":{"a":1.50}}"#
            let structured = ("Content-Type", "application/cloudevents+json")
            let ack = try post(daemon, "/v1/events?ack=committed", event, [structured])
            #expect(ack.status == 200 && ack.text.contains(#""accepted":1"#), "\(ack.text)")
            let again = try post(daemon, "/v1/cloudevents?ack=committed", event, [structured])
            #expect(again.text.contains(#""duplicates":1"#), "\(again.text)")
            let binary = try post(
                daemon, "/v1/cloudevents", #"{"a":2}"#,
                [
                    Self.json, ("ce-specversion", "1.0"), ("ce-id", "2"), ("ce-source", "/s"), ("ce-type", "ce"),
                ])
            #expect(binary.status == 202, "\(binary.text)")
            let batched = ("Content-Type", "application/cloudevents-batch+json")
            let mixed = try post(daemon, "/v1/cloudevents", "[\(event),{}]", [batched])
            #expect(
                mixed.status == 202 && mixed.text.contains(#""index":1,"error":{"code":"missing_field""#),
                "\(mixed.text)")
            #expect(try post(daemon, "/v1/cloudevents", "[]", [batched]).status == 202)
            let handshake = try HTTPClient(daemon.http).request(
                "OPTIONS", "/v1/cloudevents", headers: [("WebHook-Request-Origin", "events.example.org")])
            #expect(handshake.status == 200 && handshake.headers["webhook-allowed-origin"] == "events.example.org")
            #expect(
                eventually {
                    (try? auditor.integer("SELECT count(*) FROM analytics_events WHERE event_type = 'ce'")) == 2
                })

            // A clock that is an hour behind: corrected, and known by its id when it comes again.
            for _ in 0..<2 {
                let sent = #"{"batch":[{"type":"page","messageId":"late","timestamp":"2026-01-01T00:00:00Z"}],"#
                #expect(try post(daemon, "/v1/batch", sent + #""sentAt":"2026-01-01T01:00:00Z"}"#).status == 200)
            }
            let late = "FROM analytics_events WHERE event_type = 'page'"
            #expect(eventually { (try? auditor.integer("SELECT count(*) \(late)")) == 1 })
            #expect(
                try auditor.strings("SELECT (received_at - created_at BETWEEN '59 min' AND '61 min')::text \(late)")
                    == ["true"])
            try auditor.verify(daemon)
            #expect(try auditor.integer("SELECT count(*) \(late)") == 1)
            #expect(try daemon.stop() == .status(0))
        }

        private struct SDKProblem: Decodable {
            struct Detail: Decodable {
                var code: String
            }
            var code: String
            var message: String
            var detail: String
            var error: Detail
        }
    }
}
