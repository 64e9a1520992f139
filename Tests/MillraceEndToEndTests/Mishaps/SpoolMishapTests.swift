import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct SpoolMishapTests {
        /// Small segments that go as soon as they may.
        private static let brief = [
            "spool.segment_bytes": "\"1MiB\"", "spool.group_bytes": "\"256KiB\"", "spool.retain": "\"0s\"",
            "spool.full_retry": "\"50ms\"",
        ]

        @Test func `a torn tail holds nothing up when its segment is retired, over restarts too`() throws {
            let installation = try Installation(settings: Self.brief)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let events = EventFactory(seed: 501)
            try daemon.start()
            #expect(try HTTPClient(daemon.http).postEvents(events.lines(0..<10), query: "?ack=committed").status == 200)
            try daemon.kill()
            let first = try #require(SpoolFiles(of: daemon).segments.first)
            try SpoolFiles(of: daemon).edit(first) { $0 += Array("\u{1}torn".utf8) }

            for start in 0..<2 {
                try daemon.start()
                let sent = 10 + start * 10..<20 + start * 10
                #expect(
                    try HTTPClient(daemon.http).postEvents(events.lines(sent), query: "?ack=committed").status == 200)
                #expect(eventually { !SpoolFiles(of: daemon).segments.contains(first) }, "\(daemon.log)")
                try auditor.verify(daemon)
                if start == 0 { try daemon.kill() }
            }
            // The ledger's session still works.
            try daemon.waitUntil("/readyz")
            #expect(try daemon.metrics().count("millrace_spool_uncommitted_lines{kind=\"unread\"}") == 0)
            #expect(!daemon.log.contains("duplicate key"))
            #expect(try auditor.rows == 30)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a spool restored from an older copy while PostgreSQL is away loses and repeats nothing`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let events = EventFactory(seed: 502)
            let copy = daemon.directory + "/copy"
            try daemon.start()
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(0..<100), query: "?ack=committed").status == 200)
            try daemon.stop()
            try SpoolFiles(of: daemon).copy(to: copy)
            try daemon.start()
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(100..<500), query: "?ack=committed").status == 200)
            try daemon.stop()

            try SpoolFiles(of: daemon).restore(from: copy)
            #expect(try auditor.verify(daemon).total?.committed == 500)
            try cluster.stop()
            try daemon.start()
            #expect(try HTTPClient(daemon.http).postEvents(events.lines(500..<1000)).status == 202)
            try cluster.start()
            try auditor.waitForRows(1000)
            #expect(try auditor.rows == 1000)
            let report = try auditor.verify(daemon)
            #expect(report.total?.committed == 1000 && report.total?.duplicate == 0, "\(report)")
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `two copies of a spool lose nothing, whichever writes first`() throws {
            let database = try TestCluster.shared.database(hasPacks: true)
            let first = try DaemonProcess(databaseURL: database.connectionString)
            let second = try DaemonProcess(databaseURL: database.connectionString)
            let auditor = Auditor(database: database)
            let events = EventFactory(seed: 503)
            try first.start()
            #expect(try HTTPClient(first.http).postEvents(events.lines(0..<100), query: "?ack=committed").status == 200)
            try first.stop()
            try SpoolFiles(of: first).copy(to: SpoolFiles(of: second).directory)

            try first.start()
            #expect(
                try HTTPClient(first.http).postEvents(events.lines(100..<300), query: "?ack=committed").status == 200)
            // Takes events, and may not write them while the first one does.
            try second.start()
            #expect(try HTTPClient(second.http).postEvents(events.lines(300..<600)).status == 202)
            #expect(
                try HTTPClient(first.http).postEvents(events.lines(600..<700), query: "?ack=committed").status == 200)
            try first.stop()
            if try second.process.isRunning { try second.kill() }
            try second.start()
            try auditor.waitForRows(700)
            try auditor.verify(second)
            try second.stop()
            try first.start()
            #expect(
                try HTTPClient(first.http).postEvents(events.lines(700..<800), query: "?ack=committed").status == 200)
            #expect(try auditor.rows == 800)
            try auditor.verify(first)
            #expect(try first.stop() == .status(0))
        }

        @Test func `a flipped bit that cost acknowledged events fails verify until the loss is acknowledged`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let events = EventFactory(seed: 504)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try cluster.stop()
            let http = HTTPClient(daemon.http)
            #expect(try http.postEvents(events.lines(0..<10)).status == 202)
            #expect(try http.postEvents(events.lines(10..<30)).status == 202)
            try daemon.kill()
            let segment = try #require(SpoolFiles(of: daemon).segments.last)
            try SpoolFiles(of: daemon).edit(segment) { $0[64 + 48 + 100] ^= 0x20 }
            try cluster.start()
            try daemon.start()
            try auditor.waitForSettled(30)

            let audit = try daemon.run("verify")
            #expect(audit.exit == .status(1))
            // The first record: a save follows the third event.
            #expect(audit.output.contains("3 acknowledged lines are LOST"), "\(audit.output)")
            #expect(audit.output.contains("dead-letters purge --code spool_damage"), "\(audit.output)")
            let purge = try daemon.run(
                "dead-letters", "purge", "--code", "spool_damage", "--older-than", "0s", "--yes")
            #expect(purge.isSuccess, "\(purge.output)\(purge.errors)")
            try auditor.verify(daemon)
            #expect(try auditor.rows == 27)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `the backlog counts lines, whatever runs and crashes lie between them`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster)
            let daemon = installation.daemon
            let events = EventFactory(seed: 505)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try cluster.stop()
            for start in 0..<3 {
                if start > 0 { try daemon.start() }
                #expect(
                    try HTTPClient(daemon.http).postEvents(events.lines(start * 10..<start * 10 + 10)).status == 202)
                #expect(try daemon.metrics().count("millrace_spool_uncommitted_lines") == start * 10 + 10)
                try daemon.kill()
                let segment = try #require(SpoolFiles(of: daemon).segments.last)
                try SpoolFiles(of: daemon).edit(segment) { $0 += Array("\u{1}torn".utf8) }
            }
            try cluster.start()
            let status = try daemon.run("status")
            #expect(status.output.contains("backlog   30 lines"), "\(status.output)")
            try daemon.start()
            try installation.auditor.waitForRows(30)
            try installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a run that was killed before its first line is no loss, however many came after it`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster)
            let daemon = installation.daemon
            let events = EventFactory(seed: 506)
            try daemon.start()
            #expect(try HTTPClient(daemon.http).postEvents(events.lines(0..<10), query: "?ack=committed").status == 200)
            try daemon.kill()
            try cluster.stop()
            // Of this one the header of its segment is left: the kill came between that and the line.
            try daemon.start()
            #expect(try HTTPClient(daemon.http).postEvents(events.lines(10..<11)).status == 202)
            try daemon.kill()
            let files = SpoolFiles(of: daemon)
            let segment = try #require(files.segments.last)
            try files.edit(segment) { $0.removeLast($0.count - 64) }
            try cluster.start()
            for start in [20, 30] {
                try daemon.start()
                try daemon.waitUntil("/readyz")
                let lines = events.lines(start..<start + 10)
                #expect(try HTTPClient(daemon.http).postEvents(lines, query: "?ack=committed").status == 200)
                try installation.auditor.verify(daemon)
                try daemon.kill()
                try installation.auditor.verify(daemon)
            }
        }

        @Test func `a line that the spool can never take is refused with the configuration`() throws {
            let database = try TestCluster.shared.database(hasPacks: true)
            let daemon = try DaemonProcess(
                databaseURL: database.connectionString,
                settings: [
                    "limits.line_bytes": "\"8MiB\"", "spool.segment_bytes": "\"1MiB\"", "spool.group_bytes": "\"1MiB\"",
                ])
            try daemon.launch()
            #expect(try daemon.process.waitForExit(within: .seconds(20)) == .status(2))
            #expect(
                daemon.log.contains("limits.line_bytes (8MiB) is above spool.segment_bytes (1MiB)"), "\(daemon.log)")
            let check = try daemon.run("check")
            #expect(!check.isSuccess)
            #expect((check.output + check.errors).contains("limits.line_bytes"))
        }
    }
}
