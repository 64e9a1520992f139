import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What pages of other origins are answered, request by request.
    struct PageDoorTests {
        private static let page = "Origin: https://app.example.com"
        private static let text = "Content-Type: text/plain;charset=UTF-8"
        private static let json = "Content-Type: application/json"

        /// Whether the answer says that the page may read it, or send.
        private static func isOpen(_ answer: HTTPResponse, to origin: String = "https://app.example.com") -> Bool {
            answer.headers["access-control-allow-origin"] == origin
                && answer.headers["access-control-allow-credentials"] == "true"
                && answer.headers["vary"]?.hasPrefix("Origin") == true
        }

        private static func question(_ path: String, _ headers: [String]) -> DoorRequest {
            DoorRequest(
                method: "OPTIONS", target: path,
                headers: headers + [
                    "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization,content-type",
                ])
        }

        @Test func `a key's pages may send with it on every route, and no other page with any`() throws {
            let installation = try Installation(settings: ["log.level": "\"trace\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let http = daemon.http
            let key = try #require(
                try MadeKey.create(
                    on: daemon, "--scope", "write", "--origin", "https://app.example.com", "--origin",
                    "https://*.shop.example"
                ).key)
            let plain = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            #expect(eventually { daemon.status(key: key) == 202 && daemon.status(key: plain) == 202 })
            func rows() throws -> Int {
                try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE event_type <> 'key.test'")
            }
            let track = #"{"event":"tracked","anonymousId":"a"}"#
            let logs = #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"logged"}]}]}]}"#
            let cloud = #"{"specversion":"1.0","id":"1","source":"s","type":"cloud"}"#
            func sending(_ key: String, _ page: String) -> [DoorRequest] {
                let bearer = "Authorization: Bearer \(key)"
                func post(_ path: String, _ body: String, _ headers: String...) -> DoorRequest {
                    DoorRequest(method: "POST", target: path, headers: [page] + headers, body: body)
                }
                return [
                    post("/v1/events?key=\(key)", DoorRequest.event, Self.text),
                    post("/v1/events?key=\(key)", DoorRequest.event),
                    post("/v1/events?ack=committed&key=\(key)", "[\(DoorRequest.event)]", Self.json),
                    post("/v1/events", DoorRequest.event, Self.json, bearer),
                    post("/beacon/v1/batch?writeKey=\(key)", #"{"batch":[\#(track)]}"#, Self.text),
                    post("/v1/batch", #"{"batch":[\#(track)],"writeKey":"\#(key)"}"#, Self.text),
                    post("/v1/track", track, Self.json, bearer),
                    post("/e/?api_key=\(key)&beacon=1", #"{"event":"captured"}"#, Self.text),
                    post("/batch/", #"{"batch":[{"event":"captured"}],"api_key":"\#(key)"}"#, Self.json),
                    post("/i/v1/analytics/events", #"{"batch":[{"event":"captured"}]}"#, Self.json, bearer),
                    post("/v1/cloudevents?access_token=\(key)", cloud, "Content-Type: application/cloudevents+json"),
                    post("/v1/logs", logs, Self.json, bearer),
                    DoorRequest(target: "/p.gif?key=\(key)&type=seen", headers: [page]),
                    DoorRequest(target: "/pixel/v1/page?writeKey=\(key)&anonymousId=a", headers: [page]),
                ]
            }
            for page in [Self.page, "Origin: https://de.shop.example", "Referer: https://app.example.com/a?b"] {
                // Only what comes without Origin is judged by Referer.
                for request in sending(key, page).suffix(page.hasPrefix("Origin") ? 14 : 2) {
                    let answer = try request.send(to: http)
                    #expect([200, 202, 204].contains(answer.status), "\(page) \(request.target): \(answer.text)")
                    let origin = page.hasPrefix("Origin") ? String(page.dropFirst(8)) : "https://app.example.com"
                    #expect(Self.isOpen(answer, to: origin), "\(request.target): \(answer.headers)")
                    let isKept = request.target.contains(key) || request.target.contains("gif")
                    #expect(
                        answer.headers["cache-control"]?.contains("no-store") ?? false == isKept, "\(request.target)")
                }
            }
            // CloudEvents' is the same each time.
            let sent = 2 * 14 - 1 + 2
            #expect(eventually { (try? rows()) == sent })

            // Another page's, one that says nothing of itself, and a page whose key has no pages.
            let foreign = [
                "Origin: https://evil.example", "Origin: null", "Origin: http://app.example.com",
                "Origin: https://app.example.com.evil.example", "Referer: https://evil.example/",
                "Sec-Fetch-Site: cross-site",
            ]
            for (key, pages) in [(key, foreign), (plain, foreign + [Self.page])] {
                for request in pages.flatMap({ sending(key, $0) }) {
                    let answer = try request.send(to: http)
                    #expect(
                        answer.status == 403 && answer.text.contains("forbidden_origin"),
                        "\(request.target) \(answer.text)")
                    #expect(
                        request.headers.contains(Self.page)
                            || !answer.headers.keys.contains { $0.hasPrefix("access-control") })
                }
            }
            // Its programs are no pages, with either key.
            for request in sending(plain, "User-Agent: x").prefix(4).dropFirst(2)
                + sending(key, "User-Agent: x").suffix(2)
            {
                #expect(try request.send(to: http).status < 300, "\(request.target)")
            }
            // A frame, and a link that somebody followed, write nothing either.
            let frame = DoorRequest(
                target: "/p.gif?key=\(plain)", headers: ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"])
            #expect(try frame.send(to: http).status == 403)
            // Reading is no page's.
            for path in ["/v1/events", "/v1/packs", "/metrics", "/"] {
                let answer = try DoorRequest(target: path, headers: [Self.page, "Authorization: Bearer \(key)"]).send(
                    to: http)
                #expect(answer.status == 403, "\(path): \(answer.status)")
            }
            #expect(eventually { (try? rows()) == sent + 4 })
            try auditor.verify(daemon)
            #expect(try rows() == sent + 4)
            #expect(
                try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE payload::text ~ 'mr_w_'") == 0)
            #expect(!daemon.log.contains(key) && !daemon.log.contains(plain))
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `what a page asks before it sends is answered without a key, and errors can be read`() throws {
            let installation = try Installation(settings: [
                "http.cors_origins": "[\"https://app.example.com\"]", "http.retry_after": "\"3s\"",
            ])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let http = daemon.http
            let paths = [
                "/v1/events", "/v1/batch", "/v1/track", "/beacon/v1/batch", "/batch/", "/e/", "/i/v1/analytics/events",
                "/v1/cloudevents", "/v1/logs", "/flags/?v=2", "/decide/",
            ]
            func ask(_ headers: [String], isWelcome: Bool) throws {
                for path in paths {
                    let answer = try Self.question(path, headers).send(to: http)
                    guard isWelcome else {
                        #expect(answer.status == 403, "\(path) \(headers)")
                        #expect(!answer.headers.keys.contains { $0.hasPrefix("access-control") })
                        continue
                    }
                    #expect(
                        answer.status == 204 && answer.body.isEmpty && Self.isOpen(answer), "\(path): \(answer.headers)"
                    )
                    #expect(answer.headers["access-control-allow-headers"] == "authorization,content-type")
                    #expect(answer.headers["access-control-allow-methods"]?.contains("POST") == true)
                    #expect(answer.headers["access-control-max-age"] == "86400")
                }
            }
            // Without keys, by the settings.
            try ask([Self.page], isWelcome: true)
            try ask(["Origin: https://evil.example"], isWelcome: false)
            let beacon = DoorRequest(
                method: "POST", target: "/v1/events", headers: [Self.page, Self.text], body: DoorRequest.event)
            let taken = try beacon.send(to: http)
            #expect(taken.status == 202 && Self.isOpen(taken))
            let picture = try DoorRequest(target: "/p.gif?path=/a", headers: ["Referer: https://app.example.com/"])
                .send(to: http)
            #expect(picture.status == 200 && picture.body.count == 43 && picture.headers["content-type"] == "image/gif")
            #expect(picture.headers["cache-control"] == "no-store")
            let forbidden = try DoorRequest(target: "/p.gif", headers: ["Referer: https://evil.example/"]).send(
                to: http)
            #expect(forbidden.status == 403)
            // What is wrong, and what to wait for, the page can read.
            let broken = DoorRequest(method: "POST", target: "/v1/track", headers: [Self.page, Self.json], body: "{")
            let told = try broken.send(to: http)
            #expect(told.status == 400 && Self.isOpen(told) && told.text.contains("malformed_body"))
            #expect(told.headers["access-control-expose-headers"] == "Retry-After")
            // The handshake of CloudEvents is another one.
            let handshake = try DoorRequest(
                method: "OPTIONS", target: "/v1/cloudevents", headers: ["WebHook-Request-Origin: events.example.org"]
            ).send(to: http)
            #expect(handshake.status == 200 && handshake.headers["webhook-allowed-origin"] == "events.example.org")

            // Once keys are wanted, the settings let nobody send.
            let key = try #require(
                try MadeKey.create(on: daemon, "--scope", "write", "--origin", "https://de.shop.example").key)
            #expect(eventually { daemon.status(key: key) == 202 })
            try ask([Self.page], isWelcome: false)
            #expect(try beacon.send(to: http).status == 403)
            let question = try Self.question("/v1/events", ["Origin: https://de.shop.example"]).send(to: http)
            #expect(question.status == 204 && Self.isOpen(question, to: "https://de.shop.example"))
            // Who asks whether CloudEvents are welcome can show a key in the query alone.
            for (query, status) in [("", 401), ("?access_token=\(key)", 200)] {
                let answer = try DoorRequest(
                    method: "OPTIONS", target: "/v1/cloudevents\(query)",
                    headers: ["WebHook-Request-Origin: events.example.org"]
                ).send(to: http)
                #expect(answer.status == status, "\(query): \(answer.text)")
            }
            try auditor.waitForRows(3)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `the snippet is small, for everybody, and asks for nothing`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let key = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            #expect(eventually { daemon.status(key: key) == 202 })
            let script = try DoorRequest(
                target: "/millrace.js", headers: ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site"]
            ).send(to: daemon.http)
            #expect(script.status == 200 && (1..<3072).contains(script.body.count), "\(script.body.count)")
            #expect(script.headers["content-type"] == "text/javascript; charset=utf-8")
            #expect(script.headers["cross-origin-resource-policy"] == "cross-origin")
            #expect(script.headers["cache-control"] == "public, max-age=3600")
            #expect(script.text.contains("doNotTrack"))
            let post = try DoorRequest(method: "POST", target: "/millrace.js", body: "").send(to: daemon.http)
            #expect(post.status == 405)
            for word in ["cookie", "localStorage", "sessionStorage", "indexedDB"] {
                #expect(!script.text.replacing("Sets no cookie", with: "").contains(word))
            }
            #expect(try daemon.stop() == .status(0))
        }
    }
}
