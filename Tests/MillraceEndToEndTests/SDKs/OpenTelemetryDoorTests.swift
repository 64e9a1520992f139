import FoundationEssentials
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Logs of OpenTelemetry: what their exporters look at in answers, and what becomes of them.
    struct OpenTelemetryDoorTests {
        private static let json = ("Content-Type", "application/json")
        private static let protobuf = ("Content-Type", "application/x-protobuf")

        private func post(
            _ daemon: DaemonProcess, _ body: [UInt8], _ fields: [(String, String)] = [json]
        ) throws -> HTTPResponse {
            try HTTPClient(daemon.http).request("POST", "/v1/logs", headers: fields, body: body)
        }

        private func post(
            _ daemon: DaemonProcess, _ body: String, _ fields: [(String, String)] = [json]
        ) throws -> HTTPResponse {
            try post(daemon, Array(body.utf8), fields)
        }

        private static func request(_ records: String, resource: String = "{}") -> String {
            #"{"resourceLogs":[{"resource":\#(resource),"scopeLogs":[{"logRecords":[\#(records)]}]}]}"#
        }

        private static let order = #"""
            {"timeUnixNano":"1795000000123456789","severityNumber":17,"eventName":"order.failed",
            "body":{"kvlistValue":{"values":[{"key":"total","value":{"intValue":"9007199254740993"}}]}},
            "attributes":[{"key":"user.id","value":{"stringValue":"0192b1a4-7c3e-4a51-9f0e-000000000001"}}],
            "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}
            """#

        @Test func `a log record is an event, and counts once however often its request comes`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let service = #"{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}"#
            let body = Self.request("\(Self.order),\(Self.order)", resource: service)
            for _ in 0..<2 {
                let answer = try post(daemon, body)
                #expect(answer.status == 200 && answer.text == "{}", "\(answer.text)")
                #expect(answer.headers["content-type"] == "application/json")
            }
            let packed = try post(
                daemon, Compression.gzip.compress(Array(body.utf8)), [Self.json, ("Content-Encoding", "gzip")])
            #expect(packed.status == 200)
            try auditor.waitForRows(2)
            let rows = try auditor.strings(
                """
                SELECT concat_ws(' ', event_type, user_id, extract(epoch FROM created_at), payload->>'trace_id',
                    payload->>'span_id', payload->'body'->>'total', payload->'resource'->'attributes'->>'service.name',
                    payload->>'time_unix_nano')
                FROM public.analytics_events
                """)
            #expect(
                Set(rows) == [
                    "order.failed 0192b1a4-7c3e-4a51-9f0e-000000000001 1795000000.123456 5b8efff798038103d269b633813fc60c "
                        + "eee19b7ec3c1b174 9007199254740993 shop 1795000000123456789"
                ])
            // Nothing is nothing, in both encodings.
            #expect(try post(daemon, "{}").text == "{}")
            let nothing = try post(daemon, [UInt8](), [Self.protobuf])
            #expect(nothing.status == 200 && nothing.body.isEmpty)
            #expect(nothing.headers["content-type"] == "application/x-protobuf")

            // What can't be an event is counted, and its neighbours are there.
            let partial = try post(
                daemon,
                Self.request(
                    #"{"eventName":"kept"},{"eventName":"\u0000"},{"severityNumber":"x"},{"timeUnixNano":"1"},{}"#))
            #expect(partial.status == 200)
            #expect(partial.text.hasPrefix(#"{"partialSuccess":{"rejectedLogRecords":"3","#), "\(partial.text)")
            #expect(partial.text.contains("created_at_out_of_range"), "\(partial.text)")
            try auditor.waitForRows(4)
            try auditor.verify(daemon)
            #expect(try auditor.rows == 4)
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `what is refused as a whole is told in the request's encoding, as exporters try again or not`()
            throws
        {
            let installation = try Installation(settings: ["http.sdk_body_max": "\"64KiB\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let made = try MadeKey.create(on: daemon, "--scope", "write", "--rate", "1", "--type", "log.*")
            let text = try #require(made.key)
            let key = ("Authorization", "Bearer \(text)")
            #expect(eventually { (try? post(daemon, "{}"))?.status == 401 })
            let long = String(repeating: " ", count: 70_000)
            for (body, fields, status, text) in [
                ("{}", [Self.json], 401, #"{"code":16,"message":"unauthenticated: "#),
                ("{", [Self.json, key], 400, #"{"code":3,"message":"malformed_body: "#),
                ("", [Self.json, key], 400, #"{"code":3,"message":"empty_body: "#),
                ("{}\(long)", [Self.json, key], 413, #"{"code":8,"message":"body_too_large: "#),
                ("{}", [("Content-Type", "text/plain"), key], 415, #"{"code":3,"message":"unsupported_media_type: "#),
                (
                    "{}", [Self.json, key, ("Content-Encoding", "br")], 415,
                    #"{"code":3,"message":"unsupported_encoding: "#
                ),
                (
                    "{}", [Self.json, key, ("Origin", "https://a.example")], 403,
                    #"{"code":7,"message":"forbidden_origin: "#
                ),
            ] as [(String, [(String, String)], Int, String)] {
                let answer = try post(daemon, body, fields)
                #expect(answer.status == status && answer.text.hasPrefix(text), "\(answer.status) \(answer.text)")
            }
            let binary = try post(daemon, [0x0A], [Self.protobuf, key])
            #expect(binary.status == 400 && binary.headers["content-type"] == "application/x-protobuf")
            #expect(binary.body.starts(with: [0x08, 3, 0x12]) && binary.text.contains("malformed_body: "))
            let stranger = try post(daemon, [UInt8](), [Self.protobuf])
            #expect(stranger.status == 401 && stranger.body.starts(with: [0x08, 16, 0x12]))

            // A type that the key may not send is refused by itself; a rate that is used up is waited for.
            let mixed = try post(
                daemon, Self.request(#"{"severityNumber":9},{"eventName":"other"}"#), [Self.json, key])
            #expect(mixed.status == 200 && mixed.text.contains(#""rejectedLogRecords":"1""#), "\(mixed.text)")
            #expect(mixed.text.contains("forbidden_type"), "\(mixed.text)")
            let limited = try post(daemon, "{}", [Self.json, key])
            #expect(limited.status == 429 && limited.text.hasPrefix(#"{"code":8,"message":"rate_limited: "#))
            #expect(limited.headers["retry-after"].flatMap { Int($0) } ?? 0 >= 1)
            try auditor.waitForRows(1)
            try auditor.verify(daemon)
            #expect(try auditor.rows == 1)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a resource that a body repeats too often makes no flood of lines`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let text = String(repeating: "x", count: 100_000)
            let resource = #"{"attributes":[{"key":"a","value":{"stringValue":"\#(text)"}}]}"#
            let records = Array(repeating: "{}", count: 1000).joined(separator: ",")
            let answer = try post(daemon, Self.request(records, resource: resource))
            #expect(answer.status == 200 && answer.text.contains("payload_too_large"), "\(answer.text)")
            let refused = try #require(
                answer.text.firstMatch(of: #/"rejectedLogRecords":"(\d+)"/#).flatMap { Int($0.1) })
            #expect((850..<950).contains(refused), "\(refused)")
            try auditor.waitForRows(1000 - refused)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
