import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct DatabaseMishapTests {
        @Test func `a database restored in place under the daemon gets again what the spool holds`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let name = installation.database.name
            let superuser = try TestCluster.shared.superuser()
            let backup = "CREATE DATABASE \(name)_backup OWNER millrace TEMPLATE \(name)"
            try superuser.execute(backup, timeout: .seconds(60))
            let events = EventFactory(seed: 511)
            try daemon.start()
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(0..<300), query: "?ack=committed").status == 200)

            try superuser.execute("ALTER DATABASE \(name) ALLOW_CONNECTIONS false")
            let isAway = eventually(within: .seconds(30)) {
                _ = try? superuser.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
                return (try? superuser.execute("ALTER DATABASE \(name) RENAME TO \(name)_away")) != nil
            }
            #expect(isAway)
            try superuser.execute("ALTER DATABASE \(name)_backup RENAME TO \(name)")
            try auditor.waitForRows(300)
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(300..<320), query: "?ack=committed").status == 200)
            #expect(try auditor.rows == 320)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a ledger that went backwards under the daemon is written again from the spool`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let events = EventFactory(seed: 512)
            try daemon.start()
            for start in stride(from: 0, to: 300, by: 50) {
                let lines = events.lines(start..<start + 50)
                #expect(try HTTPClient(daemon.http).postEvents(lines, query: "?ack=committed").status == 200)
            }
            try installation.database.connect().execute(
                """
                TRUNCATE public.ingest_batches, public.analytics_events, public.conversations, public.event_ids,
                    public.dead_letters
                """)
            try auditor.waitForRows(300)
            #expect(try auditor.rows == 300)
            try auditor.verify(daemon)
            #expect(daemon.log.contains("ledger lacks committed batches"), "\(daemon.log)")
            #expect(try daemon.stop() == .status(0))
        }
    }
}
