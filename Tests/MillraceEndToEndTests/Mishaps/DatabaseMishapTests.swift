import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct DatabaseMishapTests {
        @Test func `a database restored in place under the daemon gets again what the spool holds`() throws {
            let installation = try Installation(cluster: .own)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let name = installation.database.name
            let superuser = try TestCluster.own.superuser()
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
            try expectEvenBooks(daemon)
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

        @Test func `the metrics' books agree when answers to commits are lost, and after a kill`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let events = EventFactory(seed: 514)
            try daemon.start()
            let killer = try installation.database.connect()
            for round in 0..<40 {
                let lines = events.lines(round * 50..<round * 50 + 50)
                #expect(try HTTPClient(daemon.http).postEvents(lines).status == 202)
                try killer.execute(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'millrace writer%'
                    """)
            }
            try auditor.waitForRows(2000)
            try expectEvenBooks(daemon)
            _ = try HTTPClient(daemon.http).postEvents(events.lines(1990..<2100))
            try daemon.kill()
            try daemon.start()
            try auditor.waitForRows(2100)
            try expectEvenBooks(daemon)
            try auditor.verify(daemon)
        }

        /// Lines come to rest in the counters a moment after their rows.
        private func expectEvenBooks(_ daemon: DaemonProcess) throws {
            let isEven = try eventually {
                let metrics = try daemon.metrics()
                return metrics.count("millrace_conservation_difference_lines") == 0
                    && metrics.count("millrace_spool_uncommitted_lines") == 0
            }
            let text = try daemon.metrics().text
            #expect(isEven, "\(text)")
        }

        @Test func `sequences that the ledger holds with other lines end the daemon with the reason`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            #expect(try eventually { try auditor.integer("SELECT count(*) FROM public.ingest_runs") == 1 })
            // As if another copy of the spool had given them out.
            try installation.database.connect().execute(
                """
                INSERT INTO public.ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead)
                SELECT spool_id, first_seq, first_seq + 4, 1, 0, 5, 0
                FROM public.ingest_runs
                """)
            let answer = try HTTPClient(daemon.http).postEvents(EventFactory(seed: 513).lines(0..<10))
            #expect(answer.status == 202)
            #expect(try daemon.process.waitForExit(within: .seconds(60)) == .status(1))
            #expect(daemon.log.contains("with other lines than this spool has"), "\(daemon.log)")
            #expect(try auditor.rows == 0)
        }
    }
}
