import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Rows without their ledger row: what a coordinator of Citus leaves that crashes after asynchronous commits, since the
    /// workers had kept their part; and what somebody makes by hand on any server.
    struct LostLedgerTests {
        private struct Report: Decodable {
            struct Pack: Decodable {
                var pack: String
                var ok: Bool
                var rowsUnknown: Int
                var batchesUnknown: [Int64]
            }
            var packs: [Pack]
        }

        @Test
        func `projections verify finds rows whose batch lost its ledger row and its counts, though it came again`()
            throws
        {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let events = EventFactory(seed: 191)
            #expect(try HTTPClient(daemon.http).postEvents(events.lines(0..<40), query: "?ack=committed").status == 200)
            #expect(try daemon.run("projections", "verify", "--quiet").isSuccess)
            try daemon.kill()
            let lost = try auditor.strings("SELECT batch_id::text FROM public.ingest_batches ORDER BY 1")
            let rows = try auditor.rows
            // All that one transaction had written but the rows.
            let connection = try installation.database.connect()
            let tables = try auditor.strings(
                "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables WHERE schemaname = 'projections' AND tablename NOT IN ('versions', 'parked')"
            )
            try connection.execute("TRUNCATE public.ingest_batches, \(try #require(tables.first))")

            // The spool holds the lines still: they are duplicates of rows that are there, so that no count has them.
            try daemon.start()
            try auditor.waitForSettled(40)
            #expect(
                try HTTPClient(daemon.http).postEvents(events.lines(40..<60), query: "?ack=committed").status == 200)
            let run = try daemon.run("projections", "verify", "--json")
            #expect(run.exit == .status(1), "\(run.errors)")
            for pack in try run.report(Report.self).packs {
                #expect(!pack.ok && pack.rowsUnknown == rows, "\(pack)")
                #expect(pack.batchesUnknown.map { "\($0)" }.sorted() == lost.sorted(), "\(pack)")
            }
            let text = try daemon.run("projections", "verify", "analytics", "--quiet")
            #expect(text.output.contains("rows are of batches that the ledger lacks: \(lost[0])"), "\(text.output)")
            let whole = try daemon.run("verify", "--json")
            #expect(whole.exit == .status(1) && whole.output.contains("is not in the ledger"), "\(whole.output)")
        }

        @Test func `a row that somebody puts among joined batches is found`() throws {
            let installation = try Installation(settings: [
                "database.ledger_join_age": "\"1s\"", "spool.retain": "\"0s\"",
            ])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let events = EventFactory(seed: 192)
            for start in stride(from: 0, to: 60, by: 10) {
                let answer = try HTTPClient(daemon.http).postEvents(
                    events.lines(start..<start + 10), query: "?ack=committed")
                #expect(answer.status == 200)
            }
            #expect(try daemon.stop() == .status(0))
            // A rebuild joins what is old enough first.
            let isJoined = try eventually(within: .seconds(60)) {
                _ = try daemon.run("projections", "rebuild", "analytics", "--quiet")
                return try auditor.integer("SELECT count(*) FROM public.ingest_batches WHERE batches > 1") > 0
            }
            #expect(isJoined)
            #expect(try daemon.run("projections", "rebuild", "conversations", "--quiet").isSuccess)
            #expect(try daemon.run("projections", "verify", "--quiet").isSuccess)
            try installation.database.connect().execute(
                """
                INSERT INTO public.conversations (id, conversation_id, user_id, question, response, created_at, batch_id)
                SELECT gen_random_uuid(), 'put in', gen_random_uuid(), 'q', 'a', max(created_at), (
                    SELECT last_batch_id - 1 FROM public.ingest_batches WHERE batches > 1 LIMIT 1
                )
                FROM public.conversations
                """)
            let run = try daemon.run("projections", "verify", "analytics", "--json")
            let pack = try run.report(Report.self).packs[0]
            #expect(run.exit == .status(1) && pack.rowsUnknown == 1 && pack.batchesUnknown.count == 1, "\(pack)")
        }
    }
}
