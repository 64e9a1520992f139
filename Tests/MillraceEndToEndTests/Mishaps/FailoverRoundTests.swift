import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The primary dies with a standby behind, at a point that the seed decides; then it comes back as if nothing had
    /// happened, and is the first host of the connection string.
    struct FailoverRoundTests {
        private static let marked = "failover.survived"

        @Test(arguments: UInt64(1)...10)
        func `each acknowledged line is there once after a failover, and the old primary gets none`(seed: UInt64) throws
        {
            var random = SeededGenerator(seed: seed)
            let pair = try FailoverPair("round", settings: ["spool.retain": "\"60s\""])
            try pair.daemon.start()
            let events = EventFactory(seed: 1900 + seed)
            var sent = 0
            func post(_ pieces: Int) throws {
                for _ in 0..<pieces {
                    let next = sent + Int.random(in: 1...400, using: &random)
                    #expect(try HTTPClient(pair.daemon.http).postEvents(events.lines(sent..<next)).status == 202)
                    sent = next
                }
            }

            try post(Int.random(in: 1...6, using: &random))
            // From here on the standby replays nothing, or gets nothing.
            if Int.random(in: 0..<3, using: &random) == 0 {
                try pair.standby.superuser().execute("SELECT pg_wal_replay_pause()")
            } else {
                try pair.standby.detach(from: pair.cluster)
            }
            try post(Int.random(in: 4...12, using: &random))
            // Some of it is committed where it will be lost.
            let committed = Int.random(in: 0...sent, using: &random)
            try Auditor(database: pair.database).waitForRows(committed)
            try pair.cluster.stopImmediately()
            try post(Int.random(in: 1...4, using: &random))
            try pair.standby.promote()
            try pair.afterwards.waitForRows(sent)

            try pair.cluster.start()
            if Bool.random(using: &random) {
                #expect(try pair.daemon.stop() == .status(0))
                try pair.daemon.start()
            } else {
                // All sessions have to be opened again, and the old primary is named first.
                try pair.standby.superuser().execute(
                    """
                    SELECT pg_terminate_backend(pid)
                    FROM pg_stat_activity
                    WHERE application_name LIKE 'millrace %' AND pid <> pg_backend_pid()
                    """)
            }
            let count = 300
            let lines = (0..<count).map { #"{"event_type":"\#(Self.marked)","payload":{"n":\#($0)}}"# }
            for start in stride(from: 0, to: count, by: 50) {
                let piece = lines[start..<start + 50].joined(separator: "\n") + "\n"
                #expect(
                    try HTTPClient(pair.daemon.http).postEvents(Array(piece.utf8), query: "?ack=committed").status
                        == 200)
            }
            try pair.afterwards.waitForRows(sent + count)
            let input = try InputTable(events.lines(0..<sent), database: pair.standby.database(pair.database))
            #expect(try input.missingEvents() == 0 && input.missingConversations() == 0)
            #expect(try pair.afterwards.rows == sent + count)
            try pair.afterwards.verify(pair.daemon)
            let projections = try pair.daemon.run("projections", "verify")
            #expect(projections.isSuccess, "\(projections.output) \(projections.errors)")
            let foreign = "SELECT count(*) FROM public.analytics_events WHERE event_type = '\(Self.marked)'"
            #expect(try Auditor(database: pair.database).integer(foreign) == 0)
            #expect(try pair.afterwards.integer(foreign) == count)
            #expect(try pair.daemon.stop() == .status(0))
        }

        @Test func `with the old primary alone nothing is written, and the daemon says why`() throws {
            let pair = try FailoverPair("alone", settings: [:])
            try pair.daemon.start()
            try pair.post(EventFactory(seed: 1931), 0..<100)
            try pair.cluster.stopImmediately()
            try pair.standby.promote()
            try pair.post(EventFactory(seed: 1931), 100..<200)
            try pair.standby.cluster.stop(mode: .fast)
            try pair.cluster.start()
            let rows = try Auditor(database: pair.database).rows
            let answer = try HTTPClient(pair.daemon.http).postEvents(EventFactory(seed: 1931).lines(200..<300))
            #expect(answer.status == 202)
            let isTold = eventually { (try? Readiness.of(pair.daemon))?.reason?.contains("before a failover") == true }
            #expect(isTold, "\(pair.daemon.log.suffix(2000))")
            #expect(pair.daemon.log.contains("pg_rewind"))
            #expect(try Auditor(database: pair.database).rows == rows)
            try pair.standby.cluster.start()
            try pair.afterwards.waitForRows(300)
            try pair.afterwards.verify(pair.daemon)
            #expect(try pair.daemon.stop() == .status(0))
        }
    }
}
