import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct TakeoverTests {
        private static let lastingSessions = """
            SELECT count(*)
            FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'millrace ledger %'
            """

        @Test func `half-open sessions of a killed daemon are taken over, the one amid a batch too`() throws {
            let proxy = try PostgresProxy(
                socketDirectory: TestCluster.own.cluster.socketDirectory, isHalfOpen: true)
            let installation = try Installation(cluster: .own) { proxy.connectionString(database: $0.name) }
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            try client.send(EventFactory(seed: 61).lines(0..<10))
            try client.waitForAck(10)
            try installation.auditor.waitForRows(10)

            let database = try installation.database.connect()
            try database.execute("BEGIN; LOCK TABLE public.analytics_events IN ACCESS EXCLUSIVE MODE")
            try client.send(EventFactory(seed: 61).lines(10..<20))
            try client.waitForAck(20)
            let watcher = try installation.database.connect()
            #expect(
                try eventually {
                    try watcher.execute(BlockedSessions.count(of: "millrace writer %")).count(0, 0) > 0
                })
            try daemon.kill()
            try database.execute("ROLLBACK")
            #expect(try watcher.execute(Self.lastingSessions).int(0, 0) == 1)

            try daemon.start()
            try installation.auditor.waitForRows(20)
            #expect(daemon.log.contains("session of an earlier run ended"), "\(daemon.log)")
            try installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
            try proxy.stop()
        }

        @Test func `a copy of a spool that is served elsewhere is left alone, and the second daemon ends in time`()
            throws
        {
            let installation = try Installation()
            let first = installation.daemon
            try first.start()
            try first.waitUntil("/readyz")
            let http = HTTPClient(first.http)
            let events = EventFactory(seed: 62)
            #expect(try http.postEvents(events.lines(0..<3), query: "?ack=committed").status == 200)

            let scratch = try ScratchDirectory()
            try FileManager.default.copyItem(atPath: first.directory + "/spool", toPath: scratch.path + "/spool")
            let second = try DaemonProcess(
                databaseURL: installation.database.connectionString,
                settings: ["database.session_lock_timeout": "\"3s\""], scratch: scratch)
            try second.launch()
            #expect(try second.process.waitForExit(within: .seconds(30)) == .status(1), "\(second.log)")
            let last = try #require(second.log.split(separator: "\n").last)
            #expect(last.contains("copy of this spool"), "\(second.log)")
            #expect(try http.postEvents(events.lines(3..<6), query: "?ack=committed").status == 200)
            #expect(!first.log.contains("database not reached"), "\(first.log)")
            #expect(try first.stop() == .status(0))
        }

        @Test func `a commit that waits for an absent standby is told, and does not keep the next daemon from writing`()
            throws
        {
            let installation = try Installation(cluster: TestCluster(isDurable: false))
            let superuser = try installation.cluster.superuser()
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try superuser.execute("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
            try superuser.execute("SELECT pg_reload_conf()")
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(EventFactory(seed: 63).lines(0..<5))
            #expect(eventually { daemon.log.contains("SyncRep") }, "\(daemon.log)")
            let isTold = eventually {
                (try? Readiness.of(daemon)).map { !$0.writing && $0.reason?.contains("synchronous standby") == true }
                    ?? false
            }
            #expect(isTold, "\(daemon.log)")
            try daemon.kill()

            try daemon.start()
            try installation.auditor.waitForRows(5)
            let spooled = try TCPClient(daemon.tcp, acks: "spooled")
            try spooled.send(EventFactory(seed: 63).lines(5..<10))
            try spooled.waitForAck(5)
            try installation.auditor.waitForRows(10)
            try superuser.execute("ALTER SYSTEM RESET synchronous_standby_names")
            try superuser.execute("SELECT pg_reload_conf()")
            try installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
