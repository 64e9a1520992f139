import FoundationEssentials
import MillraceDaemon
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceCommands
@testable import MillraceConsole
@testable import MillraceProjections

@Suite(.onOwnThreads) struct JoinedLedgerTests {
    /// Long ago by any clock; rows of events have times of their own.
    private static let time = Timestamp(microseconds: 1_614_600_000_000_000)  // 2021-03-01T12:00:00Z
    private static let spools = (1...3).map { "00000000-0000-4000-8000-00000000000\($0)" }

    private func join(_ connection: PostgresConnection, rows: Int, lines: Int) throws -> Int {
        var join = LedgerJoin(
            connection: connection, age: .seconds(3600), portionRows: rows, linesMax: lines, timeout: .seconds(60))
        var removed = 0
        repeat { removed += try join.joinPortion() } while !join.isAtEnd
        return removed
    }

    /// Batches of three daemons, by turns, over two days, old enough to be joined.
    private func addBatches(
        _ count: Int, _ random: inout SeededGenerator, _ next: inout [Int], from id: inout Int64,
        _ connection: PostgresConnection
    ) throws {
        var ledger: [String] = []
        var events: [String] = []
        var letters: [String] = []
        for _ in 0..<count {
            let spool = Int.random(in: 0..<3, using: &random)
            let rows = Int.random(in: 0...3, using: &random)
            let duplicates = Int.random(in: 0...1, using: &random)
            let dead = Int.random(in: 0...5, using: &random) == 0 ? 1 : 0
            let skipped = Int.random(in: 0...9, using: &random) == 0 ? 7 : 0
            id += Int64.random(in: 1 << 20...Int64(3_600_000) << 22, using: &random)
            let lines = rows + duplicates + dead + skipped
            guard lines > 0 else { continue }
            if Int.random(in: 0...20, using: &random) == 0 { next[spool] += 1 << 30 }
            let first = next[spool]
            next[spool] += lines
            ledger.append(
                "('\(Self.spools[spool])', \(first), \(first + lines - 1), \(id), \(rows), \(duplicates), \(dead), \(skipped))"
            )
            if rows > 0 { events.append("(\(id), \(rows))") }
            if dead > 0 { letters.append("('\(Self.spools[spool])', \(first), \(id))") }
        }
        try connection.execute(
            """
            INSERT INTO ingest_batches (
                spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, skipped, committed_at)
            SELECT spool::uuid, first, last, id, rows, duplicates, dead, skipped, now() - interval '1 day'
            FROM (VALUES \(ledger.joined(separator: ", "))) AS v (spool, first, last, id, rows, duplicates, dead, skipped);
            INSERT INTO analytics_events (id, event_type, user_id, created_at, batch_id)
            SELECT gen_random_uuid(), 'type ' || id % 5, gen_random_uuid(), '2026-11-15 00:00:00+00', id
            FROM (VALUES \(events.joined(separator: ", "))) AS v (id, rows), generate_series(1, rows)
            """)
        guard !letters.isEmpty else { return }
        try connection.execute(
            """
            INSERT INTO dead_letters (spool_id, sequence, kind, code, message, line, received_at, batch_id)
            SELECT spool::uuid, first, 'event', 'database', 'no', '{"event_type":"dead"}', now(), id
            FROM (VALUES \(letters.joined(separator: ", "))) AS v (spool, first, id)
            """)
    }

    /// What every reader says, and must go on saying.
    private struct Answers: Equatable {
        var conservation: [VerifyReport.Kind]
        var spools: [SpoolSummary]
        var batches: Int
        var leftOut: Int
        var rows: Int

        init(_ fixture: LedgerFixture, _ pack: PackDefinition) throws {
            let report = try fixture.verify()
            #expect(report.ok, "\(report.text)")
            conservation = report.conservation
            spools = report.spools
            let recount = try ProjectionAudit(connection: fixture.connection, pack: pack).run { _, _ in }
            #expect(recount.isEqual, "\(recount)")
            batches = recount.batches
            leftOut = recount.batchesLeftOut
            rows = recount.rows
        }
    }

    /// `MILLRACE_LEDGER_SEED` says which ledgers.
    @Test func `random ledgers joined in random portions keep the law and every reader's answer`() throws {
        let variable = ProcessInfo.processInfo.environment["MILLRACE_LEDGER_SEED"]
        let seed = variable.flatMap { UInt64($0) } ?? .random(in: 1...999_999_999)
        print("MILLRACE_LEDGER_SEED=\(seed)")
        var random = SeededGenerator(seed: seed)
        for round in 0..<3 {
            let fixture = try LedgerFixture("joined_\(round)")
            let connection = fixture.connection
            let pack = try PackLoader().load("analytics")
            var (next, id) = ([1, 1, 1], BatchID.first(at: Self.time))
            try addBatches(60, &random, &next, from: &id, connection)
            try PackInstaller(connection: connection).install([pack])
            _ = try Rebuild(connection: connection, pack: pack, joinAge: .seconds(31 * 86_400)).run { _ in }
            // A daemon without the pack has written some since, among the others'.
            id = BatchID.first(at: Self.time)
            try addBatches(20, &random, &next, from: &id, connection)
            let before = try Answers(fixture, pack)
            #expect(before.leftOut > 0)
            var removed = 0
            for _ in 0..<3 {
                let (rows, lines) = (Int.random(in: 2...40, using: &random), Int.random(in: 5...200, using: &random))
                removed += try join(connection, rows: rows, lines: lines)
                #expect(try Answers(fixture, pack) == before, "seed \(seed)")
            }
            #expect(removed > 0)
            // Letters in joined rows, a few.
            let letters = LetterRetry(
                connection: connection, limits: EventLimits(), partitions: PartitionOptions(), packs: [pack])
            var written = 0
            try letters.run(.all(code: nil)) { _, outcome in written += outcome == .committed ? 1 : 0 }
            #expect(written > 0)
            let retried = try Answers(fixture, pack)
            #expect(retried.conservation.last?.committed == (before.conservation.last?.committed ?? 0) + written)
            // A rebuild that joins, and finds spans that the old version holds and others that it lacks.
            _ = try Rebuild(connection: connection, pack: pack, joinAge: .seconds(3600)).run { _ in }
            let rebuilt = try Answers(fixture, pack)
            #expect(rebuilt.leftOut == 0 && rebuilt.conservation == retried.conservation)
            _ = try join(connection, rows: 1000, lines: 100_000)
            #expect(try Answers(fixture, pack) == rebuilt, "seed \(seed)")
            #expect(
                try fixture.count(
                    """
                    SELECT count(*) FROM ingest_batches AS one JOIN ingest_batches AS other
                        ON other.batch_id > one.batch_id AND other.batch_id <= one.last_batch_id
                    WHERE other.last_batch_id IS NOT NULL
                    """) == 0, "spans overlap, seed \(seed)")
        }
    }

    private func joinedFixture(_ name: String) throws -> LedgerFixture {
        let fixture = try LedgerFixture(name)
        for batch in 0..<20 {
            try fixture.addBatch(100 + batch, first: 1 + batch * 4, events: 2, conversations: 1, dead: 1)
        }
        try fixture.connection.execute("UPDATE ingest_batches SET committed_at = now() - interval '1 day'")
        #expect(try join(fixture.connection, rows: 1000, lines: 1000) == 19)
        #expect(try fixture.count("SELECT batches FROM ingest_batches") == 20)
        return fixture
    }

    @Test(arguments: [
        (
            "DELETE FROM analytics_events WHERE batch_id = 103 AND ctid IN (SELECT ctid FROM analytics_events WHERE batch_id = 103 LIMIT 1)",
            "joined batches 100…119: 39 events of 40, 20 conversations of 20"
        ),
        (
            "INSERT INTO analytics_events (id, event_type, created_at, batch_id) VALUES (gen_random_uuid(), 'x', '2026-11-15Z', 103)",
            "joined batches 100…119: 41 events of 40"
        ),
        (
            "SET millrace.conversations = 'by hand'; DELETE FROM conversations WHERE batch_id = 119",
            "19 conversations of 20"
        ),
        (
            "INSERT INTO analytics_events (id, event_type, created_at, batch_id) VALUES (gen_random_uuid(), 'x', '2026-11-15Z', 120)",
            "batch 120 is not in the ledger and has 1 events"
        ),
    ])
    func `a row taken out of joined batches is found, and one put among them`(change: String, finding: String) throws {
        let fixture = try joinedFixture("joined_changed")
        let sound = try fixture.verify()
        #expect(sound.ok, "\(sound.text)")
        #expect(sound.text.contains("20 of them are joined, and were counted together in 1 stretches"))
        try fixture.connection.execute(change)
        let failed = try fixture.verify().checks.filter { !$0.ok }
        #expect(failed.map(\.name) == ["the tables hold what the ledger says"])
        #expect(failed.first?.detail.contains(finding) == true, "\(failed)")
    }

    @Test func `a dead letter of a joined batch that is gone is found`() throws {
        let fixture = try joinedFixture("joined_letter")
        try fixture.connection.execute("DELETE FROM dead_letters WHERE batch_id = 107")
        let failed = try fixture.verify().checks.filter { !$0.ok }
        #expect(failed.map(\.name) == ["every refused line has its dead letter"])
        #expect(failed.first?.detail.contains("batch 100: 19 of 20") == true, "\(failed)")
    }

    @Test func `young rows stay, and one joins at a time, and never beside a rebuild`() throws {
        let fixture = try LedgerFixture()
        for batch in 0..<10 { try fixture.addBatch(100 + batch, first: 1 + batch, events: 1) }
        #expect(try join(fixture.connection, rows: 1000, lines: 1000) == 0)
        try fixture.connection.execute("UPDATE ingest_batches SET committed_at = now() - interval '1 day'")
        let other = try fixture.database.connect()
        try ProjectionsLock(connection: other).hold(alone: true)
        #expect(try join(fixture.connection, rows: 1000, lines: 1000) == 0)
        ProjectionsLock(connection: other).release()
        try other.execute("BEGIN; SELECT pg_advisory_xact_lock(\(AdvisoryLock.ledger.rawValue), 0)")
        #expect(try join(fixture.connection, rows: 1000, lines: 1000) == 0)
        try other.execute("ROLLBACK")
        #expect(try join(fixture.connection, rows: 1000, lines: 1000) == 9)
    }

    @Test func `since a time only what was written since then is looked at, and the report says so`() throws {
        let fixture = try LedgerFixture()
        let february = try #require(PartitionMonth(year: 2021, month: 2))
        try Partitions(connection: fixture.connection).ensure(february, of: .analyticsEvents)
        let start = Self.time
        let old = BatchID.first(at: start.advanced(by: .seconds(-3600)))
        let new = BatchID.first(at: start.advanced(by: .seconds(3600)))
        for index in 0..<6 { try fixture.addBatch(Int(old) + index, first: 1 + index * 2, events: 2) }
        for index in 0..<3 { try fixture.addBatch(Int(new) + index, first: 13 + index * 2, events: 2) }
        // Late rows, of a month that was over.
        try fixture.connection.execute(
            "UPDATE analytics_events SET created_at = '2021-02-03Z' WHERE batch_id = \(new)")
        let report = try fixture.verify(fixture.snapshot([(17..<21, .event)], end: 21), since: start)
        #expect(report.ok && report.isPartial, "\(report.text)")
        #expect(report.text.contains("6 batches with 12 rows"), "\(report.text)")
        #expect(report.text.hasSuffix("nothing lost, nothing twice in what was looked at"))
        #expect(report.conservation.first == .init(kind: "event", committed: 6, inSpool: 2))

        try fixture.connection.execute("DELETE FROM analytics_events WHERE batch_id = \(old)")
        #expect(try fixture.verify(since: start).ok)
        #expect(try !fixture.verify().ok)
        try fixture.connection.execute("DELETE FROM analytics_events WHERE batch_id = \(new)")
        let failed = try fixture.verify(since: start).checks.filter { !$0.ok }
        #expect(failed.map(\.name) == ["the tables hold what the ledger says"])

        // A span that the time falls into is looked at whole.
        try fixture.connection.execute("UPDATE ingest_batches SET committed_at = now() - interval '1 day'")
        #expect(try join(fixture.connection, rows: 1000, lines: 1000) > 0)
        let within = BatchID.time(of: old).advanced(by: .milliseconds(1))
        #expect(try fixture.verify(since: within).conservation.first?.committed == 18)
    }

    @Test(arguments: [("7d", true), ("2026-11-15", true), ("2026-11-15T00:00:00Z", true), ("yesterday", false)])
    func `since is a time, a day or how long ago`(text: String, isTime: Bool) {
        #expect((AuditStart(argument: text) != nil) == isTime)
        if text.hasPrefix("2026") { #expect(AuditStart(argument: text)?.time == LedgerFixture.receivedAt) }
    }
}
