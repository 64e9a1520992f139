import MillracePostgres
import FoundationEssentials
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct WritingStateTests {
        @Test(arguments: [false, true])
        func `a right that is missing is told by log, readyz and metrics, moves nothing, and heals`(isStrict: Bool)
            throws
        {
            let installation = try Installation(
                "writing_state",
                settings: ["database.stall_after": "\"1s\"", "http.strict_health_checks": "\(isStrict)"])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            #expect(try Readiness.of(daemon) == Readiness(status: 200, writing: true))

            try installation.database.connect().execute(
                "ALTER TABLE public.ingest_batches RENAME TO ingest_batches_away")
            let http = HTTPClient(daemon.http)
            #expect(try http.postEvents(EventFactory(seed: 71).lines(0..<200)).status == 202)
            let isTold = eventually {
                (try? Readiness.of(daemon)).map { !$0.writing && $0.reason?.contains("42P01") == true } ?? false
            }
            #expect(isTold)
            let readiness = try Readiness.of(daemon)
            #expect(readiness.status == (isStrict ? 503 : 200))
            #expect(readiness.since?.hasSuffix("Z") == true)
            #expect(try daemon.metrics().value("millrace_writer_stalled") == 1)
            #expect(try daemon.metrics().value("millrace_writer_stalled_seconds") ?? 0 > 0)
            #expect(try daemon.metrics().value("millrace_writer_stopped") == 1)
            let said = daemon.log.split(separator: "\n").filter { $0.contains("nothing is written") }
            #expect(said.count == 1, "\(daemon.log)")
            #expect(said.first?.contains("42P01") == true && said.first?.contains("hint=") == true)

            try installation.database.connect().execute(
                "ALTER TABLE public.ingest_batches_away RENAME TO ingest_batches")
            try auditor.waitForRows(200)
            #expect(
                eventually { (try? Readiness.of(daemon)) == Readiness(status: 200, writing: true) })
            #expect(try daemon.metrics().value("millrace_writer_stalled") == 0)
            #expect(try daemon.metrics().value("millrace_writer_stopped") == 0)
            #expect(daemon.log.contains("events are written again"))
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
