import HTTPTypes
import MillraceEvent
import MillraceIntake
import NIOCore
import NIOHTTPTypes
import ServiceLifecycle
import Testing

@Suite(.timeLimit(.minutes(10)))
struct HTTPConnectionTests {
    private static let length = good.utf8.count

    @Test(arguments: [
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 3, 4\r\n\r\nabcd",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: +3\r\n\r\nabc",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: -3\r\n\r\nabc",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 0x3\r\n\r\nabc",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n 3\r\nabc\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nX-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\nContent-Length: 0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 0\n\n",
        "POST /v1/events HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "POST /v1/events HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
        "POST /v1/events HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/events HTTP/2.0\r\nHost: t\r\n\r\n", "nonsense\r\n\r\n",
    ])
    func `framing that two servers could read in two ways is 400 and the end`(request: String) async throws {
        try await withHTTP({ $0.intake.linger = .milliseconds(100) }) { harness in
            let client = try await harness.connect()
            let smuggled = "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: \(Self.length)\r\n\r\n\(good)"
            try await client.send(request + smuggled)
            let answer = try #require(await client.response())
            #expect(answer.status == 400)
            #expect(answer.headers["connection"] == "close")
            #expect(answer.body.hasPrefix(#"{"error":{"code":"#))
            #expect(await client.rest() == "")
            #expect(harness.spool.records.isEmpty)
        }
    }

    @Test func `headers that are too large are refused`() async throws {
        try await withHTTP({ $0.http.headerBytes = 1024 }) { harness in
            let client = try await harness.connect()
            try await client.send("GET / HTTP/1.1\r\nHost: t\r\nX: \(String(repeating: "x", count: 2000))\r\n\r\n")
            #expect(await client.response()?.body.contains("headers_too_large") == true)
        }
    }

    @Test func `a silent connection is closed`() async throws {
        try await withHTTP({ $0.http.headerTimeout = .milliseconds(50) }) { harness in
            let silent = try await harness.connect()
            #expect(await silent.rest() == "")
        }
        try await withHTTP({ $0.http.keepAlive = .milliseconds(50) }) { harness in
            let idle = try await harness.connect()
            #expect(try await idle.post(Array(good.utf8))?.status == 202)
            #expect(await idle.rest() == "")
        }
    }

    @Test func `slow headers are 408`() async throws {
        try await withHTTP({ $0.http.headerTimeout = .seconds(2) }) { harness in
            var status: Int?
            // On a busy machine the time may be over before the first byte is sent: then it is a silent connection.
            while status == nil {
                let slow = try await harness.connect()
                try? await slow.send("POST /v1/events HT")
                status = await slow.response()?.status
            }
            #expect(status == 408)
        }
    }

    @Test func `a slow body is 408`() async throws {
        try await withHTTP({ $0.http.bodyRateInterval = .milliseconds(50) }) { harness in
            let client = try await harness.connect()
            try await client.send("POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{")
            let answer = await client.response()
            #expect(answer?.status == 408)
            #expect(answer?.headers["connection"] == "close")
            #expect(harness.spool.records.isEmpty)
        }
    }

    @Test func `a body that ends early is refused`() async throws {
        try await withHTTP { harness in
            let client = try await harness.connect()
            try await client.send("POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n\(good)")
            try await client.halfClose()
            #expect(await client.response()?.body.contains("truncated_body") == true)
            #expect(harness.spool.records.isEmpty)
        }
    }

    @Test func `Connection close and HTTP 1.0 are honoured`() async throws {
        try await withHTTP({ $0.intake.linger = .milliseconds(50) }) { harness in
            let closing = try await harness.connect()
            let answer = try await closing.post(Array(good.utf8), "Connection: close")
            #expect(answer?.headers["connection"] == "close")
            #expect(await closing.rest() == "")
            let old = try await harness.connect()
            try await old.send("POST /v1/events HTTP/1.0\r\nContent-Length: \(Self.length)\r\n\r\n\(good)")
            #expect(await old.response()?.status == 202)
            #expect(await old.rest() == "")
            let kept = try await harness.connect()
            for _ in 0..<2 {
                try await kept.send(
                    "POST /v1/events HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: \(Self.length)\r\n\r\n\(good)"
                )
                #expect(await kept.response()?.headers["connection"] == "keep-alive")
            }
        }
    }

    @Test func `the last connections answer only for operations`() async throws {
        let routes: HTTPIntakeService.Routes = { channel in
            try? await channel.executeThenClose { inbound, outbound in
                for try await case .end in inbound {
                    try await outbound.write(.head(.init(status: .ok, headerFields: [.contentLength: "0"])))
                    try await outbound.write(.end(nil))
                }
            }
        }
        try await withHTTP(
            {
                $0.http.connectionsMax = 2; $0.http.reservedConnections = 1; $0.intake.linger = .milliseconds(50)
                $0.http.crowdedWait = .seconds(60)
            },
            routes: routes
        ) { harness in
            let first = try await harness.connect()
            #expect(try await first.post(Array(good.utf8))?.status == 202)
            let second = try await harness.connect()
            try await second.send("GET /livez HTTP/1.1\r\nHost: t\r\n\r\n")
            #expect(await second.response()?.status == 200)
            let third = try await harness.connect()
            #expect(await third.response()?.status == 503)
            let refused = try await second.post(Array(good.utf8))
            #expect(refused?.status == 503)
            #expect(refused?.headers["retry-after"] == "2")
            #expect(await second.rest() == "")
        }
    }

    @Test func `requests are answered by a server that stops, and then the connection ends`() async throws {
        try await withHTTP({ $0.intake.linger = .milliseconds(50) }) { harness in
            harness.spool.setMode(.holding)
            let client = try await harness.connect()
            let idle = try await harness.connect()
            try await client.send(
                "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: \(Self.length)\r\n\r\n\(good)")
            await harness.wait { harness.spool.heldCount == 1 }
            await harness.group.triggerGracefulShutdown()
            #expect(await idle.rest() == "")
            harness.spool.release()
            let answer = await client.response()
            #expect(answer?.status == 202)
            #expect(answer?.headers["connection"] == "close")
        }
    }
}
