import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct SlowReaderTests {
        /// A client with a small window, which takes what it is sent only when it is told to.
        private struct Reader {
            let socket: StreamSocket

            init(_ http: Endpoint) throws {
                socket = try StreamSocket(http)
                var bytes: Int32 = 64 << 10
                setsockopt(socket.descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
                try socket.send(DoorRequest(target: "/v1/events?limit=1000").bytes)
            }

            /// Whether bytes, or the end, come within twenty seconds.
            func waitForBytes() -> Bool {
                var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
                return poll(&entry, 1, 20_000) == 1
            }

            /// Takes up to `count` bytes that wait; nil at the end.
            func take(_ count: Int) -> Int? {
                var piece = [UInt8](repeating: 0, count: count)
                guard waitForBytes() else { return nil }
                let taken = recv(socket.descriptor, &piece, count, 0)
                return taken > 0 ? taken : nil
            }
        }

        private static let pageBytes = 30 * 200_000

        /// A daemon with a page of more than 5 MB.
        private func installation(_ name: String, _ settings: [String: String]) throws -> Installation {
            var settings = settings
            settings["api.page_bytes"] = "\"32MiB\""
            let installation = try Installation(name, settings: settings)
            try installation.daemon.start()
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            let text = String(repeating: "x", count: 200_000)
            for _ in 0..<30 { try client.send("{\"event_type\":\"large\",\"payload\":{\"a\":\"\(text)\"}}") }
            try client.waitForAck(30)
            return installation
        }

        @Test(arguments: ["\"0s\"", "\"200ms\""])
        func `a reader that takes its answer slowly gets all of it`(keepAlive: String) throws {
            let installation = try installation(
                "slow", ["http.keep_alive": keepAlive, "http.write_timeout": "\"5s\""])
            let reader = try Reader(installation.daemon.http)
            var total = 0
            var isSlow = true
            let start = ContinuousClock.now
            while let taken = reader.take(100_000) {
                total += taken
                // Slow: as many pieces as are left come over three times the limits.
                let due = start + .seconds(15) * Double(total) / Double(Self.pageBytes)
                isSlow = isSlow && eventually { ContinuousClock.now >= due }
            }
            #expect(isSlow)
            // The daemon closes after the answer, at once or when nothing follows it.
            #expect(total > Self.pageBytes)
        }

        @Test func `a reader that takes nothing is closed after the limit`() throws {
            let installation = try installation("stalled", ["http.write_timeout": "\"300ms\""])
            let reader = try Reader(installation.daemon.http)
            #expect(reader.waitForBytes())
            #expect(
                try eventually {
                    try installation.daemon.metrics().count("millrace_intake_connections_open", "http") == 1
                })
            var total = 0
            while let taken = reader.take(1 << 20) { total += taken }
            #expect(total < Self.pageBytes)
        }
    }
}
