import MillraceTestSupport
import Testing

extension EndToEnd {
    struct KeySetTests {
        private func daemon(_ server: KeySetServer, _ settings: [String: String] = [:]) throws -> DaemonProcess {
            let own = [
                "jwt.jwks_url": "\"\(server.url)\"", "jwt.jwks_retry": "\"1s\"", "jwt.jwks_timeout": "\"2s\"",
            ]
            return try Installation(settings: own.merging(settings) { $1 }).daemon
        }

        private func status(_ key: SigningKey, _ daemon: DaemonProcess) throws -> Int {
            try HTTPClient(daemon.http).request("GET", "/v1/events", headers: [key.bearer()]).status
        }

        private func becomes(_ status: Int, _ key: SigningKey, _ daemon: DaemonProcess) throws -> Bool {
            try eventually { try self.status(key, daemon) == status }
        }

        @Test func `keys rotate with overlap, and a new kid is fetched when a token names it`() throws {
            let server = try KeySetServer()
            let (old, new) = (SigningKey("old"), SigningKey("new"))
            try server.serve(keys: [old.publicJWK])
            try server.start()
            let daemon = try daemon(server)
            try daemon.start()
            #expect(try becomes(200, old, daemon))
            #expect(try HTTPClient.get("/v1/events", at: daemon.http).status == 401)
            #expect(try status(new, daemon) == 401)
            try server.serve(keys: [old.publicJWK, new.publicJWK])
            #expect(try becomes(200, new, daemon))
            #expect(try status(old, daemon) == 200)
            try server.serve(keys: [new.publicJWK])
            // Another unknown kid makes it look, and the old one is gone.
            #expect(
                try eventually {
                    _ = try status(SigningKey("third"), daemon); return try status(old, daemon) == 401
                })
            #expect(try status(new, daemon) == 200)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `the last keys stay while the URL is away, slow, huge or wrong, and over a restart`() throws {
            let server = try KeySetServer()
            let (known, stranger) = (SigningKey("known"), SigningKey("stranger"))
            try server.serve(keys: [known.publicJWK])
            try server.start()
            let daemon = try daemon(server)
            try daemon.start()
            #expect(try becomes(200, known, daemon))
            func failures() throws -> Int {
                try daemon.metrics().count("millrace_jwks_fetches_total", "failed") ?? 0
            }
            // The secret in it would let anybody sign.
            let open =
                #"{"kty":"oct","alg":"HS256","kid":"open","k":"\#(SigningKey.encoded(Array(BearerToken.secret.utf8)))"}"#
            for behaviour in [
                KeySetServer.Behaviour.wrong, .huge, .slow, .trickle, .failing, .redirectAway, .loop, .set,
            ] {
                try server.behave(behaviour)
                if behaviour == .set { try server.serve(keys: [open, #"{"kty":"RSA"}"#]) }
                let before = try failures()
                #expect(
                    try eventually {
                        _ = try status(stranger, daemon); return try failures() > before
                    }, "\(behaviour)")
                #expect(try status(known, daemon) == 200, "\(behaviour)")
            }
            try server.stop()
            #expect(try daemon.stop() == .status(0))
            try daemon.start()
            #expect(try status(known, daemon) == 200)
            #expect(try status(stranger, daemon) == 401)
            try server.serve(keys: [stranger.publicJWK])
            try server.behave(.redirect)
            try server.start()
            #expect(try becomes(200, stranger, daemon))
            #expect(try status(known, daemon) == 401)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a flood of unknown kids causes one fetch, and others are read meanwhile`() throws {
            let server = try KeySetServer()
            let known = SigningKey("known")
            try server.serve(keys: [known.publicJWK])
            try server.start()
            let daemon = try daemon(server, ["jwt.jwks_retry": "\"1h\""])
            try daemon.start()
            #expect(try becomes(200, known, daemon))
            let before = server.requests
            let flood = (0..<4).map { thread in
                BackgroundThread {
                    let client = HTTPClient(daemon.http)
                    for index in 0..<100 {
                        let header = SigningKey("../../\(thread)-\(index)").bearer()
                        let status = try client.request("GET", "/v1/events", headers: [header]).status
                        guard status == 401 else { throw TestSupportError(message: "answered \(status)") }
                    }
                }
            }
            for _ in 0..<20 {
                #expect(try status(known, daemon) == 200)
                #expect(
                    try HTTPClient(daemon.http).postEvents(Array(#"{"event_type":"flood.beside"}"#.utf8)).status == 202)
            }
            for thread in flood { try thread.join() }
            #expect(server.requests - before <= 1)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a reload that names another URL drops the keys of the first`() throws {
            let (first, second) = (try KeySetServer(), try KeySetServer())
            let (one, two) = (SigningKey("one"), SigningKey("two"))
            try first.serve(keys: [one.publicJWK])
            try second.serve(keys: [two.publicJWK])
            try first.start()
            try second.start()
            let daemon = try daemon(first)
            try daemon.start()
            #expect(try becomes(200, one, daemon))
            try daemon.change(["jwt.jwks_url": "\"\(second.url)\""])
            let administrator = one.bearer(#","scope":"millrace:admin""#)
            let answer = try HTTPClient(daemon.http).request("POST", "/v1/reload", headers: [administrator], body: [])
            #expect(answer.status == 200)
            #expect(answer.text.contains("1 keys in force"), "\(answer.text)")
            #expect(try status(two, daemon) == 200)
            #expect(try status(one, daemon) == 401)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
