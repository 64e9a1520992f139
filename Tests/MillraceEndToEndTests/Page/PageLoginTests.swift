import Foundation
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Logins to the page, and what nobody can make of them.
    struct PageLoginTests {
        private struct Session: Decodable {
            var canRead: Bool
            var canAdminister: Bool
            var wantsKey: Bool
            var loggedIn: Bool
            var key: String?
            var secondsLeft: Int?
            var code: String?
        }

        /// What a page of the daemon's own sends, as a browser adds to it.
        private struct Browser {
            let daemon: DaemonProcess
            var cookie: String?
            var origin: String

            init(_ daemon: DaemonProcess, cookie: String? = nil) throws {
                guard case .port(let port) = daemon.http else { throw TestSupportError(message: "a port is wanted") }
                self.daemon = daemon
                self.cookie = cookie
                origin = "http://localhost:\(port)"
            }

            private var host: String { String(origin.dropFirst("http://".count)) }

            /// `leaving`: fields that are not sent; `adding`: others.
            func ask(
                _ method: String, _ path: String, leaving: Set<String> = [], adding: [(String, String)] = [],
                type: String = "application/json", body: String? = nil
            ) throws -> HTTPResponse {
                var fields = [("Millrace-Page", "1"), ("Sec-Fetch-Site", "same-origin")]
                if method == "POST" { fields.append(("Origin", origin)) }
                if let cookie { fields.append(("Cookie", "theme=dark; \(cookie)")) }
                if body != nil { fields.append(("Content-Type", type)) }
                let sent =
                    fields.filter { field in
                        !leaving.contains(field.0) && !adding.contains { $0.0 == field.0 }
                    } + adding
                let request = DoorRequest(
                    method: method, target: path, host: host, headers: sent.map { "\($0.0): \($0.1)" }, body: body)
                return try request.send(to: daemon.http)
            }

            func login(_ key: String) throws -> HTTPResponse {
                try ask("POST", "/login", type: "application/x-www-form-urlencoded", body: "key=\(key)")
            }

            /// The same, with the cookie that a login set.
            func loggedIn(by key: String) throws -> Browser {
                let answer = try login(key)
                guard answer.status == 200, let field = answer.headers["set-cookie"] else {
                    throw TestSupportError(message: "no login: \(answer.text)")
                }
                var browser = self
                browser.cookie = String(field.prefix { $0 != ";" })
                return browser
            }

            func session() throws -> Session {
                try CommandRun.decode(Session.self, from: ask("GET", "/session").text)
            }
        }

        private struct Keys {
            var reader: MadeKey
            var admin: MadeKey
            var writer: MadeKey

            init(on daemon: DaemonProcess) throws {
                reader = try MadeKey.create(on: daemon, "--scope", "read")
                admin = try MadeKey.create(on: daemon, "--scope", "admin")
                writer = try MadeKey.create(on: daemon, "--scope", "write")
                let key = writer.key
                #expect(eventually { daemon.status(key: key) == 202 })
            }
        }

        @Test func `a key that may read gives a cookie, which opens what the page shows and nothing else`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let open = try Browser(daemon)
            // Without keys this machine sees it all.
            #expect(try open.session().canAdminister && !open.session().wantsKey)
            #expect(try open.login("mr_any").headers["set-cookie"] == nil)
            let keys = try Keys(on: daemon)
            let stranger = try open.session()
            #expect(!stranger.canRead && stranger.wantsKey && !stranger.loggedIn && stranger.code == "unauthenticated")
            #expect(try open.ask("GET", "/v1/packs").status == 401)

            let (key, admin) = (try #require(keys.reader.key), try #require(keys.admin.key))
            let answer = try open.login(key)
            let field = try #require(answer.headers["set-cookie"])
            #expect(field.contains("; HttpOnly") && field.contains("; SameSite=Strict") && field.contains("; Path=/"))
            #expect(field.contains("; Max-Age=43200") && !field.contains("Secure"), "plain HTTP: \(field)")
            #expect(!field.contains(key) && !answer.text.contains(key))
            #expect(answer.headers["cache-control"] == "no-store")

            let reader = try open.loggedIn(by: key)
            let session = try reader.session()
            #expect(session.canRead && !session.canAdminister && session.loggedIn && session.key == keys.reader.id)
            #expect((1...43_200).contains(session.secondsLeft ?? 0))
            for path in [
                "/v1/packs", "/v1/events", "/v1/months", "/v1/dead-letters", "/metrics", "/debug/latency?format=json",
            ] {
                #expect(try reader.ask("GET", path).status == 200, "\(path)")
            }
            #expect(try reader.ask("GET", "/v1/database").status == 403)
            let ids = #"{"ids":["3f0c1a9e-0000-4000-8000-000000000000"]}"#
            #expect(try reader.ask("POST", "/v1/dead-letters/retry", body: ids).status == 403)

            let administrator = try open.loggedIn(by: admin)
            #expect(try administrator.ask("GET", "/v1/database").status == 200)
            let retried = try administrator.ask("POST", "/v1/dead-letters/retry", body: ids)
            #expect(retried.status == 200 && retried.text.contains(#""retried":0"#), "\(retried.text)")
            // What the page does not do, its cookie does not open.
            for (method, path, body) in [
                ("POST", "/v1/reload", ""), ("DELETE", "/v1/users/843d440a-a7a7-45ee-96df-3568c37384b9", nil),
                ("POST", "/v1/events", #"{"event_type":"by.cookie"}"#), ("POST", "/v1/checkout", "{}"),
                ("POST", "/api/v1/conversations/save", "{}"),
            ] as [(String, String, String?)] {
                #expect(try administrator.ask(method, path, body: body).status == 401, "\(method) \(path)")
            }
            // Its own key goes before the cookie.
            let wrong = [("Authorization", "Bearer \(keys.writer.key ?? "")")]
            #expect(try administrator.ask("GET", "/v1/events", adding: wrong).status == 403)

            let out = try reader.ask("POST", "/logout", type: "application/x-www-form-urlencoded", body: "")
            #expect(out.status == 200 && out.headers["set-cookie"]?.contains("Max-Age=0") == true)
            #expect(try reader.ask("GET", "/v1/packs").status == 401, "the cookie of before opens nothing more")
            #expect(try administrator.ask("GET", "/v1/packs").status == 200)
            #expect(!daemon.log.contains(key) && !daemon.log.contains(admin))
        }

        @Test func `no other page and no guess makes anything of a login`() throws {
            let installation = try Installation(settings: ["auth.failure_delay": "\"100ms\""])
            let daemon = installation.daemon
            try daemon.start()
            let keys = try Keys(on: daemon)
            let open = try Browser(daemon)
            let browser = try open.loggedIn(by: try #require(keys.admin.key))
            let foreign: [(Set<String>, [(String, String)])] = [
                (["Millrace-Page"], []), ([], [("Origin", "http://evil.example")]), ([], [("Origin", "null")]),
                ([], [("Sec-Fetch-Site", "same-site"), ("Origin", "http://localhost:1")]),
                ([], [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]),
                ([], [("Sec-Fetch-Site", "none")]), (["Origin", "Sec-Fetch-Site"], []),
            ]
            let form = "application/x-www-form-urlencoded"
            for (leaving, adding) in foreign {
                for (path, type, body) in [
                    ("/v1/dead-letters/retry", "application/json", #"{"ids":[]}"#), ("/logout", form, ""),
                    ("/login", form, "key=\(keys.reader.key ?? "")"),
                ] {
                    let answer = try browser.ask(
                        "POST", path, leaving: leaving, adding: adding, type: type, body: body)
                    #expect([401, 403].contains(answer.status), "\(path) \(leaving) \(adding): \(answer.status)")
                    #expect(answer.headers["set-cookie"] == nil)
                }
                guard adding.first?.0 != "Origin" else { continue }
                let isPlain = leaving.contains("Origin")
                let read = try browser.ask("GET", "/v1/packs", leaving: leaving, adding: adding)
                #expect(
                    read.status == (isPlain ? 200 : 401) || read.status == 403, "\(leaving) \(adding): \(read.status)")
            }
            #expect(try browser.session().canAdminister, "it is still logged in")
            // A cookie that is none, and one cut short.
            let value = try #require(browser.cookie)
            let name = value.prefix { $0 != "=" }
            for cookie in [String(value.dropLast()), "\(name)=", "millrace_session=\(keys.admin.key ?? "")"] {
                var other = browser
                other.cookie = cookie
                #expect(try other.ask("GET", "/v1/packs").status == 401, "\(cookie)")
            }

            func failures() throws -> Int {
                try daemon.metrics(key: keys.admin.key).count("millrace_intake_authentications_failed_total", "http")
                    ?? 0
            }
            let before = try failures()
            for body in ["mr_r_none", "", "key", "%zz", "key=\(String(repeating: "x", count: 3000))"] {
                let answer = try browser.ask("POST", "/login", type: form, body: body.isEmpty ? " " : "key=\(body)")
                #expect(answer.status == 401, "\(body.prefix(20)): \(answer.text)")
                #expect(try answer.json.error?.code == "unauthenticated")
            }
            #expect(try failures() == before + 5, "they count as every other wrong key does")
            let writer = try browser.login(try #require(keys.writer.key))
            #expect(writer.status == 403 && writer.headers["set-cookie"] == nil)
            let long = try browser.ask("POST", "/login", type: form, body: "key=" + String(repeating: "x", count: 9000))
            #expect(long.status == 413)
            #expect(try browser.ask("POST", "/login", body: "{}").status == 415)
        }

        @Test func `a login ends with its key, with its time, with the daemon, and for others when there are too many`()
            throws
        {
            let installation = try Installation(settings: [
                "page.sessions_max": "3", "page.session_lifetime": "\"10m\"",
            ])
            let daemon = installation.daemon
            try daemon.start()
            let keys = try Keys(on: daemon)
            let open = try Browser(daemon)
            let (reader, admin) = (try #require(keys.reader.key), try #require(keys.admin.key))
            let first = try open.loggedIn(by: reader)
            let left = try first.session().secondsLeft ?? 0
            #expect((1...600).contains(left))
            let others = try [open.loggedIn(by: admin), open.loggedIn(by: admin)]
            let fourth = try open.loggedIn(by: admin)
            #expect(try first.session().loggedIn, "the oldest of the same key goes first")
            #expect(try !others[0].session().loggedIn && others[1].session().loggedIn && fourth.session().loggedIn)

            // A reload keeps them.
            #expect(try daemon.run(["reload"], environment: ["MILLRACE_KEY": admin]).isSuccess)
            #expect(try first.session().loggedIn)
            #expect(try daemon.run("keys", "revoke", keys.reader.id).isSuccess)
            #expect(try eventually { try first.ask("GET", "/v1/packs").status == 401 })
            #expect(try fourth.session().loggedIn)
            // Over TLS, which a proxy ends, the browser says so.
            let secure = try open.ask(
                "POST", "/login", adding: [("Origin", open.origin.replacing("http:", with: "https:"))],
                type: "application/x-www-form-urlencoded", body: "key=\(admin)")
            #expect(secure.headers["set-cookie"]?.hasSuffix("; Secure") == true, "\(secure.text)")
            try daemon.kill()
            try daemon.start()
            #expect(try eventually { try fourth.ask("GET", "/v1/packs").status == 401 })
            #expect(try daemon.stop() == .status(0))
        }
    }
}
