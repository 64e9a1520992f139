import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct WrongTokenTests {
        private static let issuer = "https://id.example.com"

        private func tokens(_ key: SigningKey, _ secret: String) -> [(name: String, token: String)] {
            let now = time(nil)
            let good =
                #"{"exp":\#(now + 600),"iss":"\#(Self.issuer)","aud":"millrace","tenant":0,"scope":"millrace:read"}"#
            let header = #"{"alg":"ES256","kid":"\#(key.id)"}"#
            func claims(_ change: (String, String)) -> String { good.replacing(change.0, with: change.1) }
            let signed = key.token(good)
            let parts = signed.split(separator: ".").map(String.init)
            let other = SigningKey(key.id)
            let big = String(repeating: "k", count: 12_000)
            let unsigned = SigningKey.encoded(Array(#"{"alg":"none"}"#.utf8)) + "." + parts[1] + "."
            return [
                ("none", unsigned),
                ("none, with a signature", key.token(good, header: #"{"alg":"none","kid":"\#(key.id)"}"#)),
                ("a secret under the public key's kid", BearerToken(subject: "x", secret: secret).text(keyID: key.id)),
                ("the public key as a secret", BearerToken(subject: "x", secret: key.publicJWK).text(keyID: key.id)),
                ("unknown kid", SigningKey("unknown").token(good)),
                ("kid with a path", key.token(good, header: #"{"alg":"ES256","kid":"../../\#(key.id)"}"#)),
                ("huge kid", key.token(good, header: #"{"alg":"ES256","kid":"\#(big)"}"#)),
                ("expired", key.token(claims(("\(now + 600)", "\(now - 600)")))),
                ("not yet valid", key.token(claims(("\"tenant\"", "\"nbf\":\(now + 600),\"tenant\"")))),
                ("other audience", key.token(claims(("\"millrace\"", "\"other\"")))),
                ("other issuer", key.token(claims((Self.issuer, "https://evil.example.com")))),
                ("no expiry", key.token(claims(("\"exp\"", "\"iat\"")))),
                ("huge expiry", key.token(claims(("\(now + 600)", "1e300")))),
                ("negative expiry", key.token(claims(("\(now + 600)", "-1")))),
                ("expiry as a string", key.token(claims(("\(now + 600)", "\"\(now + 600)\"")))),
                ("two expiries", key.token(claims(("\"exp\"", "\"exp\":1,\"exp\"")))),
                ("no tenant", key.token(claims(("\"tenant\"", "\"tenants\"")))),
                ("negative tenant", key.token(claims(("\"tenant\":0", "\"tenant\":-1")))),
                ("another key of the same kid", other.token(good)),
                (
                    "tampered",
                    parts[0] + "." + SigningKey.encoded(Array(good.replacing("read", with: "admin").utf8)) + "."
                        + parts[2]
                ),
                ("empty signature", parts[0] + "." + parts[1] + "."),
                ("cut signature", String(signed.dropLast(4))),
                ("crit", key.token(good, header: #"{"alg":"ES256","kid":"\#(key.id)","crit":["b64"],"b64":false}"#)),
                ("nested", key.token(signed, header: #"{"alg":"ES256","kid":"\#(key.id)","cty":"JWT"}"#)),
                ("no object", key.token("[\(good)]", header: header)),
                ("oversized", key.token(claims(("\"tenant\"", "\"filler\":\"\(big)\",\"tenant\"")))),
                ("two parts", parts[0] + "." + parts[1]), ("nothing", ""), ("dots", ".."),
                ("five parts", signed + ".a.b"),
            ]
        }

        @Test func `each wrong token gets 401, and under a flood of them others are served`() throws {
            let server = try KeySetServer()
            let key = SigningKey("main")
            try server.serve(keys: [key.publicJWK])
            try server.start()
            let installation = try Installation(settings: [
                "jwt.jwks_url": "\"\(server.url)\"", "jwt.jwks_retry": "\"1h\"",
                "jwt.secret": "\"\(BearerToken.secret)\"",
                "jwt.issuer": "\"\(Self.issuer)\"", "jwt.audience": "\"millrace\"", "jwt.tenant_claim": "\"tenant\"",
            ])
            let daemon = installation.daemon
            try daemon.start()
            let good = key.bearer(
                #","iss":"\#(Self.issuer)","aud":["a","millrace"],"tenant":0,"scope":"millrace:read""#)
            #expect(
                try eventually {
                    try HTTPClient(daemon.http).request("GET", "/v1/events", headers: [good]).status == 200
                })
            let wrong = tokens(key, BearerToken.secret)
            for (name, token) in wrong {
                let answer = try HTTPClient(daemon.http).request(
                    "GET", "/v1/events", headers: [("Authorization", "Bearer " + token)])
                #expect(answer.status == 401, "\(name): \(answer.text)")
                #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true, "\(name)")
            }
            let flood = BackgroundThread {
                let client = HTTPClient(daemon.http)
                for _ in 0..<20 {
                    for (_, token) in wrong {
                        _ = try client.request("GET", "/v1/events", headers: [("Authorization", "Bearer " + token)])
                    }
                }
            }
            let sender = try TCPClient(daemon.tcp, acks: "spooled")
            for index in 1...50 {
                #expect(try HTTPClient(daemon.http).request("GET", "/v1/events", headers: [good]).status == 200)
                try sender.send(#"{"event_type":"flood.beside"}"#)
                try sender.waitForAck(index)
            }
            try flood.join()
            #expect(try daemon.process.isRunning)
            #expect(wrong.allSatisfy { $0.token.count < 40 || !daemon.log.contains($0.token) })
            #expect(try daemon.stop() == .status(0))
        }
    }
}
