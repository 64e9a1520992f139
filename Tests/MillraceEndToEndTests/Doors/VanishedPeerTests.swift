import MillraceTestSupport
import Testing

extension EndToEnd {
    struct VanishedPeerTests {
        /// Lines of /proc/net/tcp: the daemon's side of open connections to a port, and the kernel's timer of each
        /// (2 is the one that asks whether the other side is there) with its time in hundredths of a second.
        private func timers(of endpoint: Endpoint) throws -> [(kind: String, hundredths: Int)] {
            guard case .port(let port) = endpoint else { throw TestSupportError(message: "a port is wanted") }
            let local = "0100007F:" + String(port, radix: 16, uppercase: true)
            return TextFile.read("/proc/net/tcp").split(separator: "\n").compactMap { line in
                let columns = line.split(separator: " ")
                guard columns.count > 5, columns[1] == local, columns[3] == "01" else { return nil }
                let timer = columns[5].split(separator: ":")
                return (String(timer[0]), Int(timer[1], radix: 16) ?? 0)
            }
        }

        @Test func `the kernel asks the other side of every accepted connection whether it is there`() throws {
            let installation = try Installation(settings: ["intake.keepalive": "\"7s\""])
            let daemon = installation.daemon
            try daemon.start()
            let tcp = try TCPClient(daemon.tcp, acks: "spooled")
            let http = HTTPClient(daemon.http)
            #expect(try http.request("GET", "/livez").status == 200)
            for endpoint in [daemon.tcp, daemon.http] {
                #expect(
                    try eventually {
                        let timers = try timers(of: endpoint)
                        return !timers.isEmpty && timers.allSatisfy { $0.kind == "02" && $0.hundredths <= 700 }
                    })
            }
            #expect(tcp.serverVersion != nil)
        }

        @Test func `a silent TCP connection is closed, one that waits for an ack is not`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(
                cluster: cluster, settings: ["tcp.idle_timeout": "\"5s\"", "tcp.connections_max": "3"])
            let daemon = installation.daemon
            try daemon.start()
            try cluster.stop()
            let waiting = try TCPClient(daemon.tcp, acks: "committed")
            try waiting.send(DoorRequest.event)
            let silent = try TCPClient(daemon.tcp, acks: "spooled")
            let mute = try StreamSocket(daemon.tcp)
            #expect(try mute.line() == nil)
            #expect(
                try eventually {
                    try silent.takeMessages()
                    return silent.problem?.code == "idle_timeout"
                })
            // Both places are free again, and the one who waits still does.
            for _ in 0..<2 {
                // The daemon learns a moment later that the one before is gone.
                var client: TCPClient?
                #expect(
                    eventually {
                        client = try? TCPClient(daemon.tcp, acks: "spooled")
                        return client != nil
                    })
                let next = try #require(client)
                try next.send(DoorRequest.event)
                try next.waitForAck(1)
            }
            try waiting.takeMessages()
            #expect(waiting.problem == nil)
            try cluster.start()
            try waiting.waitForAck(1)
        }
    }
}
