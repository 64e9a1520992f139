import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct PaceTests {
        private static let batches = "SELECT count(*) FROM public.ingest_batches WHERE rows > 0"
        /// From the first batch to the last, by PostgreSQL's clock.
        private static let milliseconds = """
            SELECT extract(epoch FROM max(committed_at) - min(committed_at)) * 1000
            FROM public.ingest_batches
            WHERE rows > 0
            """

        private static func line(_ index: Int) -> String {
            "{\"event_type\":\"pace.tick\",\"payload\":{\"n\":\(index)}}"
        }

        /// Each event is sent once the one before it is acknowledged, so that none finds another waiting in the spool.
        @Test func `events that come one by one are committed in at most 50 transactions a second`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            let count = 1500
            for index in 1...count {
                try client.send(Self.line(index))
                try client.waitForAck(index)
            }
            try auditor.waitForRows(count)
            let batches = try auditor.integer(Self.batches)
            let milliseconds = try auditor.strings("SELECT round((\(Self.milliseconds)))::text").first.flatMap {
                Int($0)
            }
            let seconds = Double(try #require(milliseconds)) / 1000
            #expect(Double(batches) <= 1 + 50 * seconds, "\(batches) batches in \(seconds) s")
            try auditor.verify(daemon)
        }

        @Test func `an outbox that fills row by row does not make a transaction of each`() throws {
            let installation = try Installation(settings: ["outbox.poll": "\"100ms\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let connection = try installation.database.connect()
            var count = 0
            let isSpread = try eventually {
                try connection.execute("INSERT INTO public.outbox (event_type) VALUES ('pace.saved')")
                count += 1
                return try auditor.integer("SELECT coalesce((\(Self.milliseconds))::int, 0)") >= 1500
            }
            #expect(isSpread)
            try auditor.waitForRows(count)
            let batches = try auditor.integer(Self.batches)
            let milliseconds = try auditor.integer("SELECT (\(Self.milliseconds))::int")
            // The poll, and what a turn takes besides.
            #expect(Double(batches) <= 1 + 10 * Double(milliseconds) / 1000, "\(batches) batches in \(milliseconds) ms")
        }

        @Test func `a lone event goes at once, and who waits for a commit takes what is held back with him`() throws {
            let installation = try Installation(settings: ["database.small_batch_interval": "\"1m\""])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let spooled = try TCPClient(daemon.tcp, acks: "spooled")
            try spooled.send(Self.line(1))
            try auditor.waitForRows(1, within: .seconds(20))
            for index in 2...5 {
                try spooled.send(Self.line(index))
                try spooled.waitForAck(index)
            }
            #expect(try auditor.events == 1)
            let committed = try TCPClient(daemon.tcp, acks: "committed")
            try committed.send(Self.line(6))
            try committed.waitForAck(1, within: .seconds(20))
            #expect(try auditor.events == 6)
            #expect(try auditor.integer(Self.batches) == 2)
            let answer = try HTTPClient(daemon.http).postEvents(
                Array(Self.line(7).utf8), query: "?ack=committed", within: .seconds(20))
            #expect(answer.status == 200)
            #expect(try auditor.events == 7)
            // A stop holds nothing back either.
            try spooled.send(Self.line(8))
            try spooled.waitForAck(6)
            #expect(try daemon.stop() == .status(0))
            #expect(try auditor.events == 8)
        }
    }
}
