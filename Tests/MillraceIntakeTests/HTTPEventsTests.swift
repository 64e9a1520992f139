import MillraceChannels
import MillraceEvent
import MillraceIntake
import MillraceTestSupport
import NIOCore
import ServiceLifecycle
import Testing
import MillraceTelemetry

@Suite(.timeLimit(.minutes(10)))
struct HTTPEventsTests {
    private static let lines = "Content-Type: application/x-ndjson"

    private func chunked(_ pieces: [[UInt8]]) -> [UInt8] {
        pieces.flatMap { Array("\(String($0.count, radix: 16))\r\n".utf8) + $0 + Array("\r\n".utf8) }
            + Array("0\r\n\r\n".utf8)
    }

    @Test(arguments: [
        ("", good, 1), ("Content-Type: application/json", "[\(good),\n \(good)\n]", 2),
        ("Content-Type: application/json; charset=utf-8", " \(good) ", 1),
        (lines, "\(good)\r\n\n\(good)", 2), ("Content-Type: application/ndjson", "\(good)\n", 1),
        ("Content-Type: application/jsonlines", "\(good)\n", 1),
    ])
    func `objects, arrays and lines are taken`(type: String, body: String, count: Int) async throws {
        try await withHTTP { harness in
            let client = try await harness.connect()
            let answer = try await client.post(Array(body.utf8), type.isEmpty ? "X-Nothing: 1" : type)
            #expect(answer?.status == 202)
            #expect(answer?.body == #"{"accepted":\#(count),"rejected":[]}"#)
            #expect(harness.spool.lines() == Array(repeating: good, count: count))
        }
    }

    @Test func `line breaks inside an item become spaces`() async throws {
        try await withHTTP { harness in
            let client = try await harness.connect()
            _ = try await client.post(Array("{\n  \"event_type\": \"a\"\n}".utf8))
            #expect(harness.spool.lines() == [#"{   "event_type": "a" }"#])
        }
    }

    @Test(arguments: refusedLines.map(\.code.rawValue))
    func `each refusal is told with its index and harms no neighbour`(code: String) async throws {
        let line = try #require(refusedLines.first { $0.code.rawValue == code }).line
        try await withHTTP({ ($0.limits, $0.eventLimits) = smallLimits() }) { harness in
            let client = try await harness.connect()
            let answer = try #require(await client.post(Array("\(good)\n\(line)\n\(good)".utf8), Self.lines))
            #expect(answer.status == 202)
            #expect(
                answer.body.hasPrefix(#"{"accepted":2,"rejected":[{"index":1,"error":{"code":"\#(code)","message":""#))
            #expect(harness.spool.lines() == [good, good])
            let alone = try #require(await client.post(Array(line.utf8), Self.lines))
            #expect(alone.status == 400)
            #expect(alone.body.hasPrefix(#"{"error":{"code":"\#(code)","message":""#))
            #expect(harness.spool.lines() == [good, good])
        }
    }

    @Test func `an answer names so many refused items and counts all`() async throws {
        try await withHTTP({ $0.http.rejectedItemsMax = 2 }) { harness in
            let client = try await harness.connect()
            let answer = try await client.post(Array("[1,2,3]".utf8))
            #expect(answer?.status == 400)
            #expect(answer?.body.contains(#""code":"nothing_accepted""#) == true)
            #expect(answer?.body.hasSuffix(#"],"rejected_total":3}"#) == true)
            let empty = try await client.post(Array("[]".utf8))
            #expect(empty?.body == #"{"accepted":0,"rejected":[]}"#)
        }
    }

    @Test(arguments: Compression.allCases)
    func `compressed bodies are taken at any chunk border`(compression: Compression) async throws {
        let body = Array((0..<200).map { #"{"event_type":"e\#($0)"}"# }.joined(separator: "\n").utf8)
        let packed = try compression.compress(body)
        try await withHTTP { harness in
            let client = try await harness.connect()
            let head =
                "POST /v1/events HTTP/1.1\r\nHost: t\r\n\(Self.lines)\r\n"
                + "Content-Encoding: \(compression.header)\r\nTransfer-Encoding: chunked\r\n\r\n"
            try await client.send(Array(head.utf8) + chunked(packed.map { [$0] }))
            #expect(await client.response()?.body == #"{"accepted":200,"rejected":[]}"#)
            #expect(harness.spool.lines().last == #"{"event_type":"e199"}"#)
        }
    }

    @Test(arguments: Compression.allCases)
    func `a compressed body that is cut or damaged is refused whole`(compression: Compression) async throws {
        let packed = try compression.compress(Array(String(repeating: good + "\n", count: 50).utf8))
        try await withHTTP { harness in
            let client = try await harness.connect()
            let encoding = "Content-Encoding: \(compression.header)"
            let cut = try await client.post(Array(packed.dropLast(3)), Self.lines, encoding)
            #expect(cut?.status == 400)
            #expect(cut?.body.contains("truncated_body") == true)
            var damaged = packed
            damaged[0] ^= 0xFF
            damaged[1] ^= 0xFF
            let second = try await harness.connect()
            #expect(try await second.post(damaged, Self.lines, encoding)?.status == 400)
            #expect(harness.spool.records.isEmpty)
        }
    }

    @Test(arguments: Compression.allCases)
    func `a bomb is refused by its ratio and by its size`(compression: Compression) async throws {
        let packed = try compression.compress([UInt8](repeating: 0x20, count: 8 << 20))
        let encoding = "Content-Encoding: \(compression.header)"
        try await withHTTP({ $0.http.decompressionRatioMax = 100 }) { harness in
            let answer = try await harness.connect().post(packed, encoding)
            #expect(answer?.status == 413)
            #expect(answer?.body.contains("compression_ratio_exceeded") == true)
        }
        try await withHTTP({
            $0.http.decompressionRatioMax = 1 << 20; $0.http.decompressedBytesMax = 1 << 20
        }) { harness in
            let answer = try await harness.connect().post(packed, encoding)
            #expect(answer?.status == 413)
            #expect(answer?.body.contains("body_too_large") == true)
        }
    }

    @Test(arguments: [
        ("Content-Type: text/plain", "/v1/events", 415, "unsupported_media_type"),
        ("Content-Encoding: br", "/v1/events", 415, "unsupported_encoding"),
        ("X-Nothing: 1", "/v1/events?ack=maybe", 400, "invalid_ack"),
    ])
    func `a head that asks for something unknown is refused`(
        header: String, path: String, status: Int, code: String
    ) async throws {
        try await withHTTP { harness in
            let client = try await harness.connect()
            let answer = try await client.post(Array(good.utf8), to: path, header)
            #expect(answer?.status == status)
            #expect(answer?.body.hasPrefix(#"{"error":{"code":"\#(code)","message":""#) == true)
            #expect(try await client.post(Array(good.utf8))?.status == 202, "the connection goes on")
        }
    }

    @Test(arguments: [
        ("", 400, "empty_body"), ("  ", 400, "empty_body"), ("[\(good)", 400, "truncated_body"),
        ("[\(good),]", 400, "malformed_body"), ("\(good)\n\(good)", 400, "malformed_body"),
        ("7", 400, "malformed_body"),
    ])
    func `a broken JSON body is refused whole`(body: String, status: Int, code: String) async throws {
        try await withHTTP { harness in
            let answer = try await harness.connect().post(Array(body.utf8))
            #expect(answer?.status == status)
            #expect(answer?.body.hasPrefix(#"{"error":{"code":"\#(code)""#) == true)
            #expect(harness.spool.records.isEmpty)
        }
    }

    @Test func `other methods are refused with Allow`() async throws {
        try await withHTTP { harness in
            let client = try await harness.connect()
            for method in ["PATCH", "PUT", "DELETE"] {
                try await client.send("\(method) /v1/events HTTP/1.1\r\nHost: t\r\n\r\n")
                let answer = await client.response()
                #expect(answer?.status == 405)
                #expect(answer?.headers["allow"] == "POST, GET, HEAD")
            }
        }
    }

    @Test func `commits are awaited, and duplicates counted`() async throws {
        try await withHTTP { harness in
            harness.spool.setDuplicates(1)
            let client = try await harness.connect()
            let answer = try await client.post(Array("[\(good),\(good)]".utf8), to: "/v1/events?ack=committed")
            #expect(answer?.status == 200)
            #expect(answer?.body == #"{"accepted":2,"duplicates":1,"rejected":[],"parked":[],"dead_letters":[]}"#)
        }
    }

    @Test(arguments: SpoolRefusal.allCases)
    func `a spool that takes nothing is 503 with Retry-After`(refusal: SpoolRefusal) async throws {
        try await withHTTP { harness in
            let client = try await harness.connect()
            harness.spool.channel.refuse(refusal)
            let early = try await client.post(Array(good.utf8))
            #expect(early?.status == 503)
            #expect(early?.headers["retry-after"] == "2")
            #expect(early?.body.contains(#""code":"\#(refusal.rawValue)""#) == true)
            harness.spool.channel.refuse(nil)
            harness.spool.setMode(.failing(refusal))
            #expect(try await client.post(Array(good.utf8))?.status == 503)
        }
    }

    @Test func `what was taken before a body broke stays taken, and the answer says from where on not`() async throws {
        let line = #"{"event_type":"good","payload":{"a":""# + String(repeating: "x", count: 100) + "\"}}"
        try await withHTTP({ $0.http.submissionBytes = 1000 }) { harness in
            let client = try await harness.connect()
            let items = Array(repeating: line, count: 30).joined(separator: ",")
            let answer = try #require(await client.post(Array("[1,\(items),]".utf8)))
            #expect(answer.status == 202)
            let taken = harness.spool.lines().count
            #expect(taken > 0 && taken < 31)
            #expect(answer.body.hasPrefix(#"{"accepted":\#(taken),"rejected":[{"index":0,"#))
            #expect(answer.body.contains(#"{"index":\#(taken + 1),"error":{"code":"malformed_body""#))
            #expect(answer.body.contains("was not taken"))
        }
    }

    @Test func `a body is read no further while the spool is behind`() async throws {
        try await withHTTP { harness in
            harness.spool.setMode(.holding)
            let client = try await harness.connect()
            let line = #"{"event_type":"good","payload":{"a":""# + String(repeating: "x", count: 1000) + "\"}}\n"
            let count = 20_000
            let head =
                "POST /v1/events HTTP/1.1\r\nHost: t\r\n\(Self.lines)\r\nContent-Length: "
                + "\(line.utf8.count * count)\r\n\r\n"
            let sent = client.channel.eventLoop.makePromise(of: Void.self)
            client.channel.writeAndFlush(
                ByteBuffer(string: head + String(repeating: line, count: count)), promise: sent)
            await harness.wait { harness.spool.heldCount == 1 }
            for _ in 0..<2000 { await Task.yield() }
            #expect(harness.metrics[.http].bytesReceived.value < 4 << 20)
            harness.spool.release()
            try await sent.futureResult.get()
            #expect(await client.response()?.body == #"{"accepted":\#(count),"rejected":[]}"#)
        }
    }

    @Test func `Expect is answered before the body comes`() async throws {
        try await withHTTP { harness in
            let client = try await harness.connect()
            try await client.send(
                "POST /v1/events HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: \(good.utf8.count)\r\n\r\n"
            )
            #expect(await client.response()?.status == 100)
            try await client.send(good)
            #expect(await client.response()?.status == 202)
        }
    }

    @Test func `pipelined requests are answered in order, and half-close gets them all`() async throws {
        try await withHTTP { harness in
            let client = try await harness.connect()
            let request = "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: \(good.utf8.count)\r\n\r\n\(good)"
            let bad = "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n[1]"
            try await client.send(request + bad + request)
            try await client.halfClose()
            var statuses: [Int] = []
            while let answer = await client.response() { statuses.append(answer.status) }
            #expect(statuses == [202, 400, 202])
        }
    }

    @Test func `a half-closed reader that begins late gets its whole answer`() async throws {
        let count = 5000
        let path = "/tmp/millrace-test-\(UInt64.random(in: 0 ... .max)).sock"
        try await withHTTP {
            $0.listen = [.unix(path: path)]
            $0.http.rejectedItemsMax = count
        } _: { harness in
            let client = try await harness.connect()
            // More than a Unix socket holds is written while nobody reads.
            try await client.channel.setOption(.autoRead, value: false).get()
            let body = String(repeating: "x\n", count: count)
            try await client.send(
                "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Type: application/x-ndjson\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n" + body)
            try await client.halfClose()
            await harness.wait { harness.metrics.refused(.invalidJSON).value == count }
            // Where all has come and the connection has ended, nothing is left to read.
            try? await client.channel.setOption(.autoRead, value: true).get()
            let answer = try #require(await client.response())
            #expect(answer.status == 400 && answer.body.contains("\"index\":\(count - 1)"))
        }
    }
}
