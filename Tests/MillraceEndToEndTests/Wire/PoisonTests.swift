import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct PoisonTests {
        private struct Retried: Decodable {
            var retried: Int
            var committed: Int
            var refused: Int
        }

        @Test func `one poison row among 10,000 is a dead letter, and goes in after the fix`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try installation.database.connect().execute(
                "ALTER TABLE public.analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison')")

            let events = EventFactory(seed: 17)
            let poison = Array(#"{"event_type":"poison","payload":{"why":"a test"}}"#.utf8) + [UInt8(ascii: "\n")]
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(events.lines(0..<5000) + poison + events.lines(5000..<9999))
            try client.waitForAck(10_000)
            #expect(client.refusals.isEmpty)

            #expect(try auditor.rows == 9999)
            #expect(
                try auditor.strings(
                    "SELECT code || ' ' || sqlstate || ' ' || kind || ' ' || state FROM public.dead_letters")
                    == ["database 23514 event open"])
            #expect(try auditor.strings("SELECT line FROM public.dead_letters").first?.contains("a test") == true)
            var report = try auditor.verify(daemon)
            #expect(report.total?.committed == 9999)
            #expect(report.total?.dead == 1)

            let tooEarly = try daemon.run("dead-letters", "retry", "--all", "--json")
            #expect(tooEarly.exit == .status(1))
            #expect(try tooEarly.report(Retried.self).refused == 1)
            try auditor.verify(daemon)

            try installation.database.connect().execute(
                "ALTER TABLE public.analytics_events DROP CONSTRAINT no_poison")
            let run = try daemon.run("dead-letters", "retry", "--all", "--json")
            #expect(run.isSuccess, "\(run.errors)")
            #expect(try run.report(Retried.self).committed == 1)
            #expect(try auditor.rows == 10_000)
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters WHERE state = 'open'") == 0)
            report = try auditor.verify(daemon)
            #expect(report.total?.committed == 10_000)
            #expect(report.total?.dead == 0)
        }
    }
}
