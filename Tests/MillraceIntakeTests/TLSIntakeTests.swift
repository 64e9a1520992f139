import MillraceIntake
import MillraceTelemetry
import NIOCore
import NIOSSL
import Testing

/// What the intakes promise in plain text, over TLS; and what only TLS has.
@Suite(.timeLimit(.minutes(10)))
struct TLSIntakeTests {
    enum Promise: CaseIterable {
        case unanswered, lastAck, lastLine, order, commits, fullSpool, shutdown, slowReader, packets, bodies, mutations

        func test() async throws {
            let tcp = TCPIntakeTests()
            switch self {
            case .unanswered: try await tcp.`lines without a greeting are taken as they came and never answered`()
            case .lastAck: try await tcp.`acks are cumulative, and a half-closed connection gets its last one`()
            case .lastLine: try await tcp.`a last line without its newline counts when the client ended in order`()
            case .order: try await tcp.`acks wait for the spool and keep the order of the lines`()
            case .commits: try await tcp.`acks for commits wait for the commit`()
            case .fullSpool: try await tcp.`a full spool drops nothing and heals by itself`()
            case .shutdown: try await tcp.`shutdown answers what was received, then closes`()
            case .slowReader: try await tcp.`a slow reader that half-closed gets every refusal and the last ack`()
            case .packets: try await tcp.`lines survive any borders of packets`(seed: 7)
            case .bodies:
                try await HTTPEventsTests().`objects, arrays and lines are taken`(type: "", body: good, count: 1)
            case .mutations:
                try await tcp.`of 20,000 mutated lines only what was sent gets in, and each line is answered`(seed: 5)
            }
        }
    }

    @Test(arguments: Promise.allCases)
    func `what holds in plain text holds over TLS`(promise: Promise) async throws {
        try await TestTLS.$current.withValue(TestTLS()) { try await promise.test() }
    }

    @Test func `an input that ends without close_notify is answered up to its last whole line`() async throws {
        try await TestTLS.$current.withValue(TestTLS()) {
            try await withTCP { harness in
                let client = try await harness.connect()
                try await client.send("{\"hello\":{\"acks\":\"spooled\"}}\n\(good)\n\(good)")
                #expect(await client.line()?.hasPrefix("{\"hello\"") == true)
                #expect(await client.line() == "{\"ack\":1}")
                let channel = client.channel
                try await channel.eventLoop.submit {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.context(handlerType: NIOSSLClientHandler.self).close(mode: .output, promise: nil)
                }.get()
                #expect(await client.rest() == "")
                #expect(harness.spool.lines() == [good])
            }
        }
    }

    @Test func `an HTTP client that ends its input after its request gets its answer`() async throws {
        try await TestTLS.$current.withValue(TestTLS()) {
            try await withHTTP { harness in
                let client = try await harness.connect()
                try await client.send(
                    "POST /v1/events HTTP/1.1\r\nHost: test\r\nContent-Length: \(good.utf8.count)\r\n\r\n\(good)")
                try await client.halfClose()
                #expect(await client.response()?.status == 202)
                #expect(await client.rest() == "")
            }
        }
    }

    @Test func `a silent client takes no place, and is gone after the time for a handshake`() async throws {
        let tls = try TestTLS()
        try await TestTLS.$current.withValue(tls) {
            try await withTCP({ $0.tcp.connectionsMax = 1 }) { harness in
                let silent = try await TestClient(harness.address, isPlain: true)
                let client = try await harness.connect()
                try await client.send("\(good)\n")
                try await client.halfClose()
                #expect(await client.rest() == "")
                #expect(harness.spool.lines() == [good])
                #expect(harness.metrics[.tcp].handshakes.value == 1)
                await silent.close()

                var hasty = tls.configuration
                hasty.handshakeTimeout = .milliseconds(1)
                try tls.certificates.prepared(hasty)()
                let late = try await TestClient(harness.address, isPlain: true)
                #expect(await late.rest() == "")
                #expect(harness.metrics[.tcp].handshakeFailures(.timeout).value == 1)
            }
        }
    }

    @Test func `a client in plain text is told so, and nothing of it is taken`() async throws {
        try await TestTLS.$current.withValue(TestTLS()) {
            try await withTCP { harness in
                let client = try await TestClient(harness.address, isPlain: true)
                try await client.send("\(good)\n")
                #expect(await client.rest().hasPrefix(#"{"error":{"code":"tls_required","#))
                #expect(harness.spool.records.isEmpty)
                #expect(harness.metrics[.tcp].handshakeFailures(.plainText).value == 1)
            }
            try await withHTTP { harness in
                let client = try await TestClient(harness.address, isPlain: true)
                #expect(try await client.post(Array(good.utf8))?.status == 400)
                #expect(await client.rest() == "")
                #expect(harness.spool.records.isEmpty)
            }
        }
    }

    @Test func `TLS where plain text is spoken is told so at once`() async throws {
        let tls = try TestTLS()
        try await withTCP { harness in
            let client = try await TestTLS.$current.withValue(tls) { try await harness.connect() }
            // The client's handler takes what it is told for a broken record, and closes.
            #expect(await client.rest() == "")
            #expect(harness.spool.records.isEmpty)
        }
    }

    @Test func `files that can't be used leave the certificate in force`() throws {
        let tls = try TestTLS()
        let facts = tls.certificates.facts
        #expect(facts.names == ["localhost", "127.0.0.1"])
        #expect(facts.subject == "CN=localhost")
        var configuration = ListenerTLSConfiguration()
        configuration.certificate = "/nonexistent"
        #expect(throws: TLSFileError.self) { try tls.certificates.prepared(configuration) }
        #expect(tls.certificates.facts == facts)
    }
}
