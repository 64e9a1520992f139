import MillraceTestSupport
import Testing

extension EndToEnd {
    /// `POST /v1/checkout` and `GET /v1/products/search`, over the seeds of the pack commerce.
    struct CheckoutRouteTests {
        private static let grace = "5eed0000-0000-4000-8000-0000000000a2"
        private static let linus = "5eed0000-0000-4000-8000-0000000000a3"
        private static let service = BearerToken(subject: "shop", role: "service_role")

        private static func seeded() throws -> Installation {
            let installation = try Installation(
                settings: [
                    "projections.packs": #"["commerce"]"#, "outbox.poll": "\"20ms\"",
                    "jwt.secret": "\"\(BearerToken.secret)\"",
                ])
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            try installation.daemon.start()
            let path = "\(Repository.root)/sql/packs/commerce/seed.ndjson"
            #expect(try installation.daemon.run("send", path).isSuccess)
            try installation.auditor.waitForRows(TextFile.read(path).split(separator: "\n").count)
            return installation
        }

        private static func post(
            _ user: String, key: String?, _ token: BearerToken? = service, body: String? = nil, to daemon: DaemonProcess
        ) throws -> HTTPResponse {
            var headers = [("Content-Type", "application/json")]
            if let key { headers.append(("Idempotency-Key", key)) }
            if let token { headers.append(token.header) }
            return try HTTPClient(daemon.http).request(
                "POST", "/v1/checkout", headers: headers, body: Array((body ?? "{\"user_id\":\"\(user)\"}").utf8))
        }

        @Test func `a cart becomes an order once for a key, and refusals say which SQLSTATE and why`() throws {
            let installation = try Self.seeded()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let own = BearerToken(subject: Self.grace)
            let first = try Self.post(Self.grace, key: "order-1", own, to: daemon)
            #expect(first.status == 201, "\(first.text)")
            #expect(first.text.contains("\"total_amount\":\"199.80\"") && first.text.contains("\"status\":\"pending\""))
            let again = try Self.post(Self.grace, key: "order-1", to: daemon)
            #expect(again.status == 201 && again.text == first.text)
            // The last table is gone.
            let late = try Self.post(Self.linus, key: "order-2", to: daemon)
            #expect(late.status == 409)
            #expect(late.text.hasPrefix(#"{"error":{"code":"MR001","message":"product "#), "\(late.text)")
            #expect(late.text.contains(#""left":0"#) && late.text.contains(#""wanted":1"#), "\(late.text)")
            let empty = try Self.post(Self.grace, key: "order-3", to: daemon)
            #expect(empty.status == 409 && empty.text.contains("\"MR003\""))
            let foreign = try Self.post(Self.linus, key: "order-1", to: daemon)
            #expect(foreign.status == 422 && foreign.text.contains("\"MR004\""))
            #expect(
                try auditor.integer(
                    "SELECT count(*) FROM projections.commerce_orders WHERE idempotency_key = 'order-1'") == 1)
            #expect(
                try auditor.strings(
                    "SELECT stock::text FROM projections.commerce_products WHERE name IN ('Lampe de bureau', 'Table basse') ORDER BY name"
                )
                    == ["10", "0"])
            let isEmpty = try eventually { try auditor.integer("SELECT count(*) FROM public.outbox") == 0 }
            #expect(isEmpty)
            let recount = try daemon.run("projections", "verify")
            #expect(recount.isSuccess, "\(recount.output) \(recount.errors)")
        }

        @Test func `a request that is no checkout is refused before the database is asked`() throws {
            let installation = try Self.seeded()
            let daemon = installation.daemon
            for (user, key, token, body, status, code) in [
                (Self.grace, "k", nil, nil, 401, "missing_token"),
                (Self.grace, "k", BearerToken(subject: Self.linus), nil, 403, "wrong_user"),
                (Self.grace, nil, Self.service, nil, 400, "missing_idempotency_key"),
                (Self.grace, String(repeating: "k", count: 256), Self.service, nil, 400, "invalid_idempotency_key"),
                ("nobody", "k", Self.service, nil, 400, "invalid_user_id"),
                (Self.grace, "k", Self.service, "{", 400, "invalid_json"),
                (Self.grace, "k", Self.service, "[]", 400, "invalid_json"),
            ] as [(String, String?, BearerToken?, String?, Int, String)] {
                let answer = try Self.post(user, key: key, token, body: body, to: daemon)
                #expect(answer.status == status && answer.text.contains("\"\(code)\""), "\(code): \(answer.text)")
            }
            #expect(try installation.auditor.integer("SELECT count(*) FROM public.outbox") == 0)
        }

        @Test func `products are found by mistyped words`() throws {
            let installation = try Self.seeded()
            let reader = BearerToken(subject: Self.grace, scope: "millrace:read")
            for (words, name) in [
                ("lmpe", "Lampe de bureau"), ("chasie%20plinte", "Chaise pliante"), ("tabel", "Table basse"),
                ("eau", "Lampe de bureau"),
            ] {
                let answer = try HTTPClient(installation.daemon.http).request(
                    "GET", "/v1/products/search?q=\(words)&limit=1", headers: [reader.header])
                #expect(
                    answer.status == 200 && answer.text.contains("\"name\":\"\(name)\""), "\(words): \(answer.text)")
            }
            let nothing = try HTTPClient(installation.daemon.http).request(
                "GET", "/v1/products/search?q=%25", headers: [reader.header])
            #expect(nothing.text == #"{"items":[]}"#)
        }
    }
}
