import MillraceAPI
import MillraceDaemon
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

@testable import MillraceCommands
@testable import MillraceConsole

@Suite(.onOwnThreads) struct DeadLetterTests {
    private func retry(
        _ fixture: LedgerFixture, _ choice: LetterRetry.Choice = .all(code: nil), packs: [PackDefinition] = []
    )
        throws -> [LetterRetry.Outcome]
    {
        var outcomes: [LetterRetry.Outcome] = []
        try LetterRetry(
            connection: fixture.connection, limits: EventLimits(), partitions: PartitionOptions(), packs: packs
        )
        .run(choice) { _, outcome in outcomes.append(outcome) }
        return outcomes
    }

    @Test func `a retried letter becomes the row of its batch, and the account still balances`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, events: 2, dead: 2, refused: 1)
        #expect(try retry(fixture) == [.committed, .committed, .committed])
        #expect(try fixture.count("SELECT count(*) FROM public.dead_letters WHERE state = 'open'") == 0)
        let rows = try fixture.connection.execute(
            """
            SELECT event_type, batch_id, received_at::text, created_at::text, payload::text, user_id IS NULL
            FROM public.analytics_events
            WHERE event_type LIKE 'dead.%'
            ORDER BY event_type
            """)
        let time = "2026-11-15 00:00:00+00"
        #expect(rows.texts.map { $0[0] } == ["dead.3", "dead.4", "dead.5"])
        #expect(rows.texts.first == ["dead.3", "7", time, time, "{}", "t"])
        let report = try fixture.verify()
        #expect(report.ok, "\(report.text)")
        #expect(report.conservation.first == .init(kind: "event", committed: 5))
    }

    @Test func `a second retry of the same line finds its row`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, dead: 1)
        #expect(try retry(fixture) == [.committed])
        // A second letter for the same line, as a spool that was copied would make: the id derived is the same.
        try fixture.connection.execute(
            """
            UPDATE public.dead_letters SET state = 'open', resolved_at = NULL;
            UPDATE public.ingest_batches SET dead = 1, rows = 0
            """)
        #expect(try retry(fixture) == [.duplicate])
        #expect(try fixture.count("SELECT count(*) FROM public.analytics_events") == 1)
    }

    @Test func `a conversation save is counted as one`() throws {
        let fixture = try LedgerFixture()
        try fixture.connection.execute(
            """
            INSERT INTO public.ingest_batches (
                spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, conversation_dead
            )
            VALUES ('\(LedgerFixture.spoolID)', 1, 1, 3, 0, 0, 1, 1)
            """)
        let line = """
            {"conversation_id":"c","question":"q","response":"r","user_id":"00000000-0000-4000-8000-000000000001",\
            "timestamp":"2026-11-14T10:00:00.123456Z"}
            """
        try fixture.addLetter(sequence: 1, kind: "conversation", code: "database", line: line, batch: 3)
        #expect(try retry(fixture) == [.committed])
        let report = try fixture.verify()
        #expect(report.ok, "\(report.text)")
        #expect(report.conservation[1] == .init(kind: "conversation", committed: 1))
        let time = try fixture.connection.execute("SELECT created_at::text FROM public.conversations").string(0, 0)
        #expect(time == "2026-11-14 10:00:00.123456+00")
    }

    @Test func `what the database refuses again stays, until the fix`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, events: 1, dead: 1)
        try fixture.connection.execute(
            "ALTER TABLE public.analytics_events ADD CONSTRAINT no_dead CHECK (event_type NOT LIKE 'dead.%')")
        guard case .refused(code: "database", _) = try retry(fixture).first else {
            Issue.record("the row was taken")
            return
        }
        #expect(
            try fixture.connection.execute("SELECT state, sqlstate, message FROM public.dead_letters").texts.first?[1]
                == "23514")
        #expect(try fixture.verify().ok)
        try fixture.connection.execute("ALTER TABLE public.analytics_events DROP CONSTRAINT no_dead")
        #expect(try retry(fixture) == [.committed])
        #expect(try fixture.verify().ok)
    }

    @Test func `what still does not parse stays with the new reason, and a cut line with the old one`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, refused: 3)
        try fixture.connection.execute(
            """
            UPDATE public.dead_letters SET line = '{"event_type":""}' WHERE sequence = 1;
            UPDATE public.dead_letters SET line = '{"event_type":"a","pay', code = 'payload_too_large' WHERE sequence = 2;
            UPDATE public.dead_letters SET line = NULL, state = 'purged', resolved_at = now() WHERE sequence = 3
            """)
        let outcomes = try retry(fixture)
        #expect(outcomes.count == 2)
        #expect(outcomes.contains(.skipped))
        #expect(
            try fixture.connection.execute("SELECT code, state FROM public.dead_letters ORDER BY sequence").texts == [
                ["invalid_event_type", "open"], ["payload_too_large", "open"], ["invalid_json", "purged"],
            ])
    }

    @Test func `only the letters asked for are retried`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, dead: 3, refused: 1)
        #expect(try retry(fixture, .all(code: "invalid_json")) == [.committed])
        let id = try fixture.connection.execute("SELECT id::text FROM public.dead_letters WHERE sequence = 2")
        #expect(try retry(fixture, .only([id.string(0, 0) ?? ""])) == [.committed])
        #expect(try fixture.count("SELECT count(*) FROM public.dead_letters WHERE state = 'open'") == 2)
    }

    @Test func `an id without a time is asked of event_ids`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, dead: 2)
        let line = "{\"id\":\"00000000-0000-4000-8000-00000000000a\",\"event_type\":\"x\"}"
        try fixture.connection.query("UPDATE public.dead_letters SET line = $1", parameters: [.text(line)])
        #expect(try retry(fixture) == [.committed, .duplicate])
        #expect(try fixture.count("SELECT count(*) FROM public.event_ids") == 1)
        let report = try fixture.verify()
        #expect(report.ok, "\(report.text)")
        #expect(report.conservation.first == .init(kind: "event", committed: 1, duplicate: 1))
    }

    @Test func `a retried row is folded into the versions that hold its batch, and into no other`() throws {
        let fixture = try LedgerFixture()
        let analytics = try PackLoader().load("analytics")
        try PackInstaller(connection: fixture.connection).install([analytics])
        try fixture.addBatch(7, first: 1, events: 2, dead: 1)
        try fixture.addBatch(8, first: 11, events: 2, dead: 1)
        _ = try Rebuild(connection: fixture.connection, pack: analytics, joinAge: .seconds(3600)).run { _ in }
        try fixture.connection.execute("UPDATE ingest_batches SET folded = '{}' WHERE batch_id = 8")
        let sum = "SELECT COALESCE(sum(n), 0) FROM projections.analytics_events_by_hour"
        #expect(try fixture.count(sum) == 4)
        #expect(throws: LetterRetryRefusal.self) { try retry(fixture) }
        #expect(try retry(fixture, packs: [analytics]) == [.committed, .committed])
        #expect(try fixture.count(sum) == 5)
        #expect(
            try fixture.count("SELECT n FROM projections.analytics_events_by_hour WHERE event_type = 'dead.3'") == 1)
    }

    @Test func `a purge takes the lines and leaves the account`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, dead: 2, refused: 1)
        try fixture.connection.execute(
            "UPDATE public.dead_letters SET dead_at = now() - interval '2 days' WHERE sequence < 3")
        let age = try #require(Age(argument: "1d"))
        let purge = DeadLetterPurge(connection: fixture.connection, olderThan: age, code: nil)
        #expect(try purge.count() == 2)
        #expect(try purge.run() == 2)
        #expect(try purge.run() == 0)
        #expect(
            try fixture.count("SELECT count(*) FROM public.dead_letters WHERE line IS NULL AND state = 'purged'") == 2)
        #expect(try fixture.verify().ok)
    }
}
