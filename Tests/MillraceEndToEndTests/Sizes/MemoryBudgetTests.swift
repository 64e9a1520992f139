import CZstd
import Glibc
import MillraceTestSupport
import Synchronization
import Testing

extension EndToEndAlone {
    /// What clients have the daemon hold is one sum, and has one bound.
    struct MemoryBudgetTests {
        private static let budget = 8 << 20

        private func installation(_ name: String = #function, _ settings: [String: String] = [:]) throws -> Installation
        {
            let small = [
                "memory.budget": "\"8MiB\"", "memory.line_wait": "\"300ms\"", "tcp.retry_interval": "\"50ms\"",
            ]
            let installation = try Installation(name, settings: small.merging(settings) { $1 })
            try installation.daemon.start()
            return installation
        }

        /// Conversations of about 900 KB in the database.
        private func addConversations(_ count: Int, _ installation: Installation) throws {
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            let text = String(repeating: "x", count: 900_000)
            let user = "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"
            for number in 0..<count {
                try client.send(
                    "{\"conversation_id\":\"c\(number)\",\"question\":\"q\",\"response\":\"\(text)\",\"user_id\":\"\(user)\"}"
                )
            }
            try client.waitForAck(count)
        }

        @Test func `lines that never end share the budget, and are given up once others want memory`() throws {
            let daemon = try installation().daemon
            let event = "{\"event_type\":\"a\",\"payload\":{\"text\":\"\(String(repeating: "y", count: 200_000))\"}}"
            let open = try (0..<40).map { _ in try StreamSocket(daemon.tcp) }
            let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 50_000)
            var most = 0
            for _ in 0..<16 {
                for socket in open where !socket.isEnded { _ = socket.sendNow(piece) }
                most = max(most, daemon.memoryUsed)
            }
            #expect(most > Self.budget / 2)
            #expect(most <= Self.budget + Self.budget / 2)
            // Small lines go in whatever others hold; large ones once some of these are given up.
            let small = try TCPClient(daemon.tcp, acks: "spooled")
            try small.send(DoorRequest.event)
            try small.waitForAck(1)
            var large = try TCPClient(daemon.tcp, acks: "spooled")
            #expect(
                eventually {
                    do {
                        try large.send(event)
                        try large.waitForAck(1)
                        return true
                    } catch {
                        guard let next = try? TCPClient(daemon.tcp, acks: "spooled") else { return false }
                        large = next
                        return false
                    }
                })
            let isGivenUp = eventually { () throws(Never) in
                open.contains { socket in
                    socket.receive()
                    return socket.hasLine
                }
            }
            #expect(isGivenUp)
            let first = try #require(open.first { $0.hasLine })
            #expect(try first.line()?.contains(#""code":"memory_budget""#) == true)
            #expect(daemon.log.contains("line given up"))
            #expect(try daemon.metrics().count("millrace_memory_refused_total", "lines") ?? 0 > 0)
            withExtendedLifetime(open) {}
        }

        @Test func `what clients held that were killed is given back`() throws {
            let daemon = try installation().daemon
            var open = try (0..<4).map { _ in try StreamSocket(daemon.tcp) }
            for socket in open { try socket.send([UInt8](repeating: UInt8(ascii: "x"), count: 500_000)) }
            #expect(eventually { daemon.memoryUsed > 4 * 500_000 })
            open = []
            #expect(daemon.holdsNothing())
            let client = try TCPClient(daemon.tcp, acks: "committed")
            let text = String(repeating: "y", count: 200_000)
            for _ in 0..<20 { try client.send("{\"event_type\":\"a\",\"payload\":{\"text\":\"\(text)\"}}") }
            try client.waitForAck(20)
            #expect(daemon.holdsNothing())
        }

        @Test func `bodies whose windows are too many get 503, and later ones go in`() throws {
            let daemon = try installation().daemon
            let lines = (0..<60_000).map { "{\"event_type\":\"a\",\"payload\":{\"n\":\($0 &* 2_654_435_761)}}\n" }
            let body = try Self.compressed(Array(lines.joined().utf8))
            let head = """
                POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r
                Content-Encoding: zstd\r\nContent-Length: \(body.count)\r\n\r\n
                """
            var open = try (0..<12).map { _ in try StreamSocket(daemon.http) }
            for socket in open { try socket.send(Array(head.utf8) + body.prefix(body.count / 2)) }
            let isRefused = eventually {
                for socket in open { socket.receive() }
                return open.count { $0.hasLine } >= 8
            }
            #expect(isRefused)
            #expect(daemon.memoryUsed > 0 && daemon.memoryUsed <= Self.budget)
            let refused = open.filter { $0.hasLine }
            let answer = try #require(try refused.first?.line())
            #expect(answer.hasPrefix("HTTP/1.1 503"))
            open = []
            #expect(daemon.holdsNothing())
            let whole = try HTTPClient(daemon.http).postEvents(body, encoding: "zstd")
            #expect(whole.status == 202 && whole.text.contains("\"accepted\":60000"))
            #expect(daemon.holdsNothing())
        }

        /// With a window of 4 MiB.
        private static func compressed(_ bytes: [UInt8]) throws -> [UInt8] {
            guard let context = ZSTD_createCCtx() else { throw TestSupportError(message: "zstd has no memory") }
            defer { ZSTD_freeCCtx(context) }
            ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 22)
            var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
            var (source, target) = (ZSTD_inBuffer(), ZSTD_outBuffer())
            let left = bytes.withUnsafeBytes { input in
                output.withUnsafeMutableBytes { buffer in
                    source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
                    target = ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
                    // Not at once: the frame would not say its window then.
                    _ = ZSTD_compressStream2(context, &target, &source, ZSTD_e_continue)
                    return ZSTD_compressStream2(context, &target, &source, ZSTD_e_end)
                }
            }
            guard left == 0 else { throw TestSupportError(message: "zstd did not end") }
            return Array(output[..<target.pos])
        }

        @Test func `answers that nobody takes fill the budget, and the next one is 503`() throws {
            let installation = try installation(
                #function, ["memory.budget": "\"16MiB\"", "api.page_bytes": "\"32MiB\""])
            let daemon = installation.daemon
            try addConversations(6, installation)
            #expect(daemon.holdsNothing())
            var open: [StreamSocket] = []
            for _ in 0..<8 {
                let socket = try StreamSocket(daemon.http)
                try socket.send(DoorRequest(target: "/v1/conversations").bytes)
                #expect(try socket.bytes(13).count == 13)
                open.append(socket)
            }
            #expect(daemon.memoryUsed > 0 && daemon.memoryUsed <= 16 << 20)
            let refused = try HTTPClient.get("/v1/conversations", at: daemon.http)
            #expect(refused.status == 503 && refused.headers["retry-after"] != nil)
            #expect(try refused.json.error?.code == "memory_budget")
            #expect(try HTTPClient.get("/readyz", at: daemon.http).status == 200)
            #expect(try HTTPClient.get("/v1/conversations?limit=1&conversation_id=none", at: daemon.http).status == 200)
            open = []
            #expect(daemon.holdsNothing())
            let answer = try HTTPClient.get("/v1/conversations", at: daemon.http)
            #expect(answer.status == 200 && answer.body.count > 6 * 900_000)
            #expect(daemon.holdsNothing())
        }

        @Test func `parallel pages of large rows are cut by bytes, each row comes once, and memory stays`() throws {
            let installation = try installation(#function, ["memory.budget": "\"64MiB\""])
            let daemon = installation.daemon
            try addConversations(24, installation)
            #expect(daemon.holdsNothing())
            let before = try daemon.process.memoryBytes("VmHWM")
            let readers = (0..<12).map { _ in Reader(daemon.http) }
            let threads = readers.map { reader in BackgroundThread { try reader.run() } }
            for thread in threads { try thread.join() }
            for reader in readers {
                #expect(reader.ids.value.withLock { $0.count } == 24)
                #expect(reader.ids.value.withLock { Set($0).count } == 24)
            }
            #expect(daemon.holdsNothing())
            #expect(try daemon.process.memoryBytes("VmHWM") - before < 160 << 20)
        }

        /// Reads all pages; tries again what is refused for want of memory.
        private struct Reader: Sendable {
            let http: Endpoint
            let ids = Shared<[String]>([])

            init(_ http: Endpoint) {
                self.http = http
            }

            /// The texts of a member: the fields between quotation marks after those that are `name`. The C library looks
            /// for the marks, because the pages are too large for more.
            private static func values(_ name: String, in body: [UInt8]) -> [String] {
                var fields: [Range<Int>] = []
                body.withUnsafeBufferPointer { body in
                    guard let base = body.baseAddress else { return }
                    var start = 0
                    while let mark = memchr(base + start, Int32(UInt8(ascii: "\"")), body.count - start) {
                        let end = UnsafeRawPointer(mark) - UnsafeRawPointer(base)
                        fields.append(start..<end)
                        start = end + 1
                    }
                }
                return fields.indices.dropLast(2).filter { body[fields[$0]].elementsEqual(name.utf8) }
                    .map { String(decoding: body[fields[$0 + 2]], as: UTF8.self) }
            }

            func run() throws {
                let client = HTTPClient(http)
                var cursor = ""
                while true {
                    let answer = try client.request("GET", "/v1/conversations?limit=50" + cursor)
                    if answer.status == 503 { continue }
                    guard answer.status == 200 else { throw TestSupportError(message: answer.text) }
                    let values = { Self.values($0, in: answer.body) }
                    let found = values("conversation_id")
                    guard !found.isEmpty else { throw TestSupportError(message: "an empty page") }
                    ids.value.withLock { $0 += found }
                    guard let next = values("next").last else { return }
                    cursor = "&cursor=" + next
                }
            }
        }

        private final class Shared<Value: Sendable>: Sendable {
            let value: Mutex<Value>

            init(_ value: Value) {
                self.value = Mutex(value)
            }
        }

        @Test func `a saved conversation counts until it is durable`() throws {
            let installation = try installation(#function, ["jwt.secret": "\"\(BearerToken.secret)\""])
            let daemon = installation.daemon
            let user = "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"
            let token = BearerToken(subject: user).header
            let body =
                "{\"conversation_id\":\"c\",\"question\":\"q\",\"response\":\"\(String(repeating: "z", count: 400_000))\","
                + "\"user_id\":\"\(user)\"}"
            let head = """
                POST /api/v1/conversations/save HTTP/1.1\r\nHost: localhost\r\n\(token.0): \(token.1)\r
                Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n
                """
            let half = try StreamSocket(daemon.http)
            try half.send(Array((head + body.prefix(300_000)).utf8))
            #expect(eventually { daemon.memoryUsed >= 200_000 })
            try half.send(Array(body.dropFirst(300_000).utf8))
            #expect(try half.line()?.hasPrefix("HTTP/1.1 201") == true)
            #expect(daemon.holdsNothing())
        }

        @Test func `recordings of latencies are counted, and one too many gets 503`() throws {
            let installation = try installation(#function, ["latency.recordings_max": "3"])
            let daemon = installation.daemon
            #expect(try HTTPClient(daemon.http).postEvents(Array(DoorRequest.event.utf8)).status == 202)
            let open = try (0..<3).map { _ in
                let socket = try StreamSocket(daemon.http)
                try socket.send(DoorRequest(target: "/debug/latency?seconds=3").bytes)
                return socket
            }
            var refused: HTTPResponse?
            #expect(
                try eventually {
                    guard daemon.memoryUsed > 0 else { return false }
                    refused = try HTTPClient.get("/debug/latency?seconds=1", at: daemon.http)
                    return refused?.status == 503
                })
            #expect(try refused?.json.error?.code == "too_many_recordings")
            #expect(try HTTPClient.get("/debug/latency", at: daemon.http).status == 200)
            for socket in open { #expect(try socket.line()?.hasPrefix("HTTP/1.1 200") == true) }
            #expect(daemon.holdsNothing())
        }
    }
}

extension DaemonProcess {
    /// Waits until it holds nothing; whoever held something is gone.
    fileprivate func holdsNothing() -> Bool { eventually { memoryUsed == 0 } }
}
