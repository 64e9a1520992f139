import MillraceTestSupport
import Testing

extension EndToEnd {
    struct AbandonedWaiterTests {
        private static let json = ["Content-Type: application/json"]

        private func post(_ query: String) -> DoorRequest {
            DoorRequest(method: "POST", target: "/v1/events" + query, headers: Self.json, body: DoorRequest.event)
        }

        @Test func `clients that gave up waiting for a commit leave their places to others`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(
                cluster: cluster, settings: ["http.connections_max": "60", "intake.committed_wait": "\"10m\""])
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try cluster.stop()
            for _ in 0..<2 {
                var waiting: [StreamSocket] = []
                for _ in 0..<25 {
                    let socket = try StreamSocket(daemon.http)
                    try socket.send(post("?ack=committed").bytes)
                    waiting.append(socket)
                }
                // All of them are in the spool, and wait.
                #expect(
                    try eventually {
                        try daemon.metrics().count("millrace_spool_appended_lines_total") ?? 0 >= waiting.count
                    })
                waiting = []
                for _ in 0..<40 { #expect(try post("").send(to: daemon.http).status == 202) }
            }
            // Over the count of those who may wait (half of 60), the answer is that it is durable.
            #expect(try post("?ack=committed").send(to: daemon.http).status == 202)
            try cluster.start()
            try installation.auditor.waitForRows(2 * (25 + 40) + 1)
            #expect(eventually { (try? post("?ack=committed").send(to: daemon.http).status) == 200 })
        }

        @Test func `a wait for a commit ends with 202 after its time, and what was said is kept`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster, settings: ["intake.committed_wait": "\"300ms\""])
            let daemon = installation.daemon
            try daemon.start()
            // A busy machine may need longer than that for the first one.
            var committed = 0
            #expect(
                try eventually {
                    committed += 1
                    return try post("?ack=committed").send(to: daemon.http).status == 200
                })
            try cluster.stop()
            let client = HTTPClient(daemon.http)
            for _ in 0..<2 {
                let answer = try client.exchange(post("?ack=committed").bytes)
                #expect(answer.status == 202)
                #expect(answer.text == #"{"accepted":1,"rejected":[]}"#)
            }
            try cluster.start()
            try installation.auditor.waitForRows(committed + 2)
            #expect(try installation.auditor.rows == committed + 2)
        }

        @Test func `a client that only closes its own side gets its commit`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let socket = try StreamSocket(installation.daemon.http)
            try socket.send(post("?ack=committed").bytes)
            socket.finishSending()
            #expect(try socket.line()?.hasPrefix("HTTP/1.1 200") == true)
        }

        @Test func `half-closed TCP connections that wait for commits leave their places, and end after a time`() throws
        {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(
                cluster: cluster, settings: ["tcp.connections_max": "4", "intake.committed_wait": "\"1s\""])
            let daemon = installation.daemon
            try daemon.start()
            let waiting = try (0..<2).map { _ in try TCPClient(daemon.tcp, acks: "committed") }
            try cluster.stop()
            for client in waiting {
                try client.send(DoorRequest.event)
                client.socket.finishSending()
            }
            let others = try (0..<4).map { _ -> TCPClient in
                var client: TCPClient?
                #expect(
                    eventually {
                        client = try? TCPClient(daemon.tcp, acks: "spooled"); return client != nil
                    })
                return try #require(client)
            }
            for client in others {
                try client.send(DoorRequest.event)
                try client.waitForAck(1)
            }
            for client in waiting {
                try client.finish()
                #expect(client.acked == 0)
            }
            try cluster.start()
            try installation.auditor.waitForRows(6)
        }
    }
}
