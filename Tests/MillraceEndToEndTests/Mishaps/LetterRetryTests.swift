import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct LetterRetryTests {
        private struct Report: Decodable {
            var committed: Int
            var refused: Int
        }

        @Test func `5,000 letters with a bad one among them go in exactly once, though the retry is killed`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            #expect(try daemon.run("partitions", "ensure").isSuccess)
            let connection = try installation.database.connect()
            // Ten batches that the packs' versions hold, of letters only; every hundredth line is its neighbour's event again.
            try connection.execute(
                """
                INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, folded)
                SELECT
                    '00000000-0000-7000-8000-000000000001', number * 500, number * 500 + 499, number, 0, 0, 500,
                    (SELECT array_agg(id ORDER BY id) FROM projections.versions)
                FROM generate_series(1, 10) AS number;
                INSERT INTO dead_letters (spool_id, sequence, kind, code, message, line, received_at, batch_id)
                SELECT
                    '00000000-0000-7000-8000-000000000001', sequence, 'event', 'database', 'no',
                    format(
                        '{"id":"00000000-0000-4000-8000-%s","event_type":"dead.%s","created_at":"%s"}',
                        lpad((sequence - (sequence % 100 = 99)::integer)::text, 12, '0'), sequence % 1000,
                        to_char(date_trunc('day', now() AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
                    now(), sequence / 500
                FROM generate_series(500, 5499) AS sequence;
                ALTER TABLE analytics_events ADD CONSTRAINT no_dead CHECK (event_type <> 'dead.77' OR batch_id <> 4)
                """)
            let auditor = installation.auditor
            let retried = "SELECT count(*) FROM dead_letters WHERE state = 'retried'"
            let process = try SpawnedProcess(
                MillraceBinary.path, ["dead-letters", "retry", "--all", "--config", daemon.configuration],
                mark: daemon.configuration, output: daemon.directory + "/retry", errors: daemon.directory + "/retry")
            #expect(try eventually { try auditor.integer(retried) > 0 })
            process.signal(SIGKILL)
            try process.waitForExit(within: .seconds(20))
            #expect(try auditor.integer(retried) < 5000)

            let run = try daemon.run("dead-letters", "retry", "--all", "--json")
            #expect(run.exit == .status(1), "\(run.errors)")
            #expect(try run.report(Report.self).refused == 1)
            #expect(try auditor.integer("SELECT count(*) FROM dead_letters WHERE state = 'open'") == 1)
            #expect(try auditor.integer("SELECT count(*) FROM analytics_events") == 4949)
            #expect(try auditor.integer("SELECT sum(rows)::bigint FROM ingest_batches") == 4949)
            #expect(try auditor.integer("SELECT sum(duplicates)::bigint FROM ingest_batches") == 50)
            #expect(try auditor.integer("SELECT sum(dead)::bigint FROM ingest_batches") == 1)
            let counts = "SELECT COALESCE(sum(n), 0)::bigint FROM projections.analytics_events_by_hour"
            #expect(try auditor.integer(counts) == 4949)
            #expect(try daemon.run("verify", "--quiet").isSuccess)

            try connection.execute("ALTER TABLE analytics_events DROP CONSTRAINT no_dead")
            #expect(try daemon.run("dead-letters", "retry", "--all", "--quiet").isSuccess)
            #expect(try auditor.integer("SELECT count(*) FROM analytics_events") == 4950)
            #expect(try auditor.integer(counts) == 4950)
        }
    }
}
