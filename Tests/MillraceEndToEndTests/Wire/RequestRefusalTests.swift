import MillraceTestSupport
import Testing

extension EndToEnd {
    struct RequestRefusalTests {
        @Test func `requests that are wrong as a whole get their status and code, and nothing is written`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let http = installation.daemon.http
            let line = EventFactory(seed: 11).lines(0..<1)
            func post(_ headers: [(String, String)], _ query: String = "", body: [UInt8]? = nil) throws -> HTTPResponse
            {
                try HTTPClient(http).request("POST", "/v1/events" + query, headers: headers, body: body ?? line)
            }
            let type = ("Content-Type", "application/x-ndjson")
            let expected: [(HTTPResponse, Int, String)] = [
                (try HTTPClient.get("/nothing/here", at: http), 404, "not_found"),
                (try HTTPClient(http).request("PUT", "/v1/events"), 405, "method_not_allowed"),
                (try post([("Content-Type", "text/xml")]), 415, "unsupported_media_type"),
                (try post([type, ("Content-Encoding", "br")]), 415, "unsupported_encoding"),
                (try post([type, ("Content-Encoding", "gzip")]), 400, "invalid_compression"),
                (try post([type], "?ack=someday"), 400, "invalid_ack"),
                (try post([type], body: []), 400, "empty_body"),
                (try post([("Content-Type", "application/json")], body: Array("[{".utf8)), 400, "truncated_body"),
                (try post([("Content-Type", "application/json")], body: Array("hello".utf8)), 400, "malformed_body"),
                (
                    try post(
                        [type, ("Content-Encoding", "gzip")],
                        body: Compression.gzip.compress([UInt8](repeating: 0x20, count: 64 << 20))), 413,
                    "compression_ratio_exceeded"
                ),
            ]
            for (response, status, code) in expected {
                #expect(response.status == status, "\(code): \(response.text)")
                #expect(try response.json.error?.code == code)
            }
            #expect(try installation.auditor.rows == 0)
        }

        @Test(
            arguments: [
                "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
                "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
                "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
                "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nX-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
                "NONSENSE\r\n\r\n",
            ])
        func `framing that two servers could read differently is a 400 and the end of the connection`(
            request: String
        ) throws {
            let installation = try Installation("framing")
            try installation.daemon.start()
            let response = try HTTPClient(installation.daemon.http).exchange(Array(request.utf8))
            #expect(response.status == 400)
            #expect(response.headers["connection"]?.lowercased() == "close")
            #expect(try HTTPClient.get("/livez", at: installation.daemon.http).status == 200)
        }

        @Test func `a greeting that is wrong is answered with what is wanted, and the connection ends`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            for greeting in [#"{"hello":{"acks":"never"}}"#, #"{"hello":{}}"#, #"{"hello":1}"#] {
                let client = try TCPClient(installation.daemon.tcp, acks: nil)
                try client.send(greeting)
                try client.send(EventFactory(seed: 12).line(0))
                try client.finish()
                #expect(client.problem?.code == "invalid_hello")
                #expect(client.problem?.message.contains("acks") == true)
            }
            #expect(try installation.auditor.rows == 0)
        }

        @Test func `line endings, empty lines and a last line without an end are as the contract says`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let events = EventFactory(seed: 13)
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            let text = "\r\n\n\(events.line(0))\r\n\n\n\(events.line(1))\n{]\r\n\(events.line(2))"
            try client.send(Array(text.utf8))
            try client.finish()
            #expect(client.acked == 4)
            #expect(client.refusals.keys.sorted() == [3])
            #expect(try installation.auditor.rows == 3)
        }
    }
}
