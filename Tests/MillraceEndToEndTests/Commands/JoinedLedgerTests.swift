import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct JoinedLedgerTests {
        @Test func `a thousand small batches become a handful of rows, and every reader agrees before and after`()
            throws
        {
            let installation = try Installation(
                settings: [
                    "database.ledger_join_age": "\"1h\"", "partitions.maintenance_interval": "\"1s\"",
                    "spool.retain": "\"1s\"", "projections.packs": "[\"analytics\"]",
                ])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let connection = try installation.database.connect()
            try daemon.start()
            defer { #expect(throws: Never.self) { try daemon.kill() } }
            try connection.execute(
                "ALTER TABLE analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'test.poison') NOT VALID")
            let client = try TCPClient(daemon.tcp, acks: "committed")
            for n in 1...1000 {
                try client.send(Array("{\"event_type\":\"test.\(n == 500 ? "poison" : "small")\"}\n".utf8))
                try client.waitForAck(n, within: .seconds(60))
            }
            try connection.execute("ALTER TABLE analytics_events DROP CONSTRAINT no_poison")
            let sequences = try auditor.settled
            #expect(try auditor.integer("SELECT count(*) FROM ingest_batches") >= 1000)
            #expect(try auditor.verify(daemon).total?.committed == 999)
            #expect(try daemon.run("projections", "verify").isSuccess)

            // The daemon finds them an hour old.
            try connection.execute(
                """
                UPDATE ingest_batches SET committed_at = now() - interval '2 hours', batch_id = batch_id - (7200000::bigint << 22);
                UPDATE analytics_events SET batch_id = batch_id - (7200000::bigint << 22);
                UPDATE dead_letters SET batch_id = batch_id - (7200000::bigint << 22)
                """)
            // One more when the day began less than two hours ago.
            #expect(
                try eventually(within: .seconds(60)) {
                    try auditor.integer("SELECT count(*) FROM ingest_batches") <= 4
                })
            #expect(try auditor.settled == sequences)
            #expect(try auditor.verify(daemon).total?.committed == 999)
            #expect(try daemon.run("projections", "verify").isSuccess)
            #expect(try daemon.run("status").isSuccess)

            // A dead letter among them goes in once.
            for _ in 1...2 { #expect(try daemon.run("dead-letters", "retry", "--all").isSuccess) }
            #expect(try auditor.events == 1000)
            let report = try auditor.verify(daemon)
            #expect(report.total?.committed == 1000 && report.total?.dead == 0)
            #expect(try daemon.run("projections", "verify").isSuccess)

            // New events come beside them, over a restart that reads the ledger again.
            #expect(try daemon.stop() == .status(0))
            try daemon.start()
            let more = try TCPClient(daemon.tcp, acks: "committed")
            try more.send(Array("{\"event_type\":\"test.more\"}\n".utf8))
            try more.waitForAck(1, within: .seconds(60))
            #expect(try auditor.verify(daemon).total?.committed == 1001)
            #expect(try daemon.run("projections", "rebuild", "analytics").isSuccess)
            #expect(try daemon.run("projections", "verify").isSuccess)
            let part = try daemon.run("verify", "--since", "1h")
            #expect(part.isSuccess && part.output.contains("not looked at"), "\(part.output)\(part.errors)")

            // Whatever is done by hand shows.
            for (change, undo) in [
                (
                    "CREATE TABLE taken AS SELECT * FROM analytics_events WHERE event_type = 'test.small' LIMIT 1; DELETE FROM analytics_events WHERE id IN (SELECT id FROM taken)",
                    "INSERT INTO analytics_events SELECT * FROM taken; DROP TABLE taken"
                ),
                (
                    "INSERT INTO analytics_events (id, event_type, created_at, batch_id) SELECT gen_random_uuid(), 'test.hand', created_at, batch_id FROM analytics_events WHERE event_type = 'test.small' LIMIT 1",
                    "DELETE FROM analytics_events WHERE event_type = 'test.hand'"
                ),
            ] {
                try connection.execute(change)
                let run = try daemon.run("verify")
                #expect(run.exit == .status(1) && run.output.contains("joined batches"), "\(run.output)")
                #expect(try daemon.run("verify", "--since", "1h").isSuccess)
                #expect(try daemon.run("projections", "verify").exit == .status(1))
                try connection.execute(undo)
                try auditor.verify(daemon)
            }

            // A row whose batch the ledger lacks is found by the recount too.
            try connection.execute("DELETE FROM ingest_batches WHERE last_batch_id IS NULL AND rows = 1")
            let run = try daemon.run("projections", "verify")
            #expect(run.exit == .status(1) && run.output.contains("the ledger lacks"), "\(run.output)")
        }
    }
}
