import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct FullDiskTests {
        @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs wants root"))
        func `a full disk holds clients back, and intake goes on by itself when there is room`() throws {
            let disk = try SmallDisk(bytes: 16 << 20)
            let ballast = disk.path + "/ballast"
            try TextFile.write([UInt8](repeating: 0, count: 8 << 20), to: ballast)
            try fillAndRelieve(
                settings: [
                    "spool.directory": "\"\(disk.path)/spool\"", "spool.segment_bytes": "\"1MiB\"",
                    "spool.group_bytes": "\"256KiB\"", "spool.free_bytes": "\"0B\"", "spool.retain": "\"0s\"",
                ]
            ) { _ in unlink(ballast) }
            withExtendedLifetime(disk) {}
        }

        @Test func `a full spool holds clients back, and intake goes on by itself when PostgreSQL has caught up`()
            throws
        {
            try fillAndRelieve(
                settings: [
                    "spool.bytes": "\"4MiB\"", "spool.segment_bytes": "\"1MiB\"", "spool.group_bytes": "\"256KiB\"",
                    "spool.retain": "\"0s\"",
                ]
            ) { cluster in try cluster.start() }
        }

        /// `relieve` makes room.
        private func fillAndRelieve(settings: [String: String], relieve: (TestCluster) throws -> Void) throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation("full_disk", cluster: cluster, settings: settings)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try cluster.stopImmediately()

            let posted = EventFactory(seed: 41)
            let http = HTTPClient(daemon.http)
            var postedCount = 0
            var refusal: HTTPResponse?
            while refusal == nil, postedCount < 200_000 {
                let response = try http.postEvents(posted.lines(postedCount..<postedCount + 500))
                if response.status == 202 { postedCount += 500 } else { refusal = response }
            }
            #expect(refusal?.status == 503)
            #expect(try refusal?.json.error?.code == "spool_full")
            #expect(refusal?.headers["retry-after"] != nil)
            #expect(try HTTPClient.get("/livez", at: daemon.http).status == 200)
            #expect(try HTTPClient.get("/readyz", at: daemon.http).status == 503)

            // A TCP client is not refused: it is read no further.
            let streamed = EventFactory(seed: 42)
            let streamedCount = 2000
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            try client.send(streamed.lines(0..<streamedCount))
            #expect(throws: TestSupportError.self) { try client.waitForAck(streamedCount, within: .seconds(1)) }

            try relieve(cluster)
            try client.waitForAck(streamedCount, within: .seconds(60))
            #expect(client.refusals.isEmpty)
            let isTaken = try eventually(within: .seconds(30)) {
                try http.postEvents(posted.lines(postedCount..<postedCount + 500)).status == 202
            }
            #expect(isTaken)
            postedCount += 500

            try cluster.start()
            try auditor.waitForRows(postedCount + streamedCount)
            #expect(try auditor.rows == postedCount + streamedCount)
            let input = try InputTable(
                posted.lines(0..<postedCount) + streamed.lines(0..<streamedCount), database: installation.database)
            #expect(try input.missingEvents() == 0)
            #expect(try input.missingConversations() == 0)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
