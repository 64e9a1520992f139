import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceCommands

@Suite(.onOwnThreads) struct VerificationTests {
    @Test func `open letters of damaged bytes fail the audit, purged ones are a note`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(7, first: 1, events: 2, dead: 1)
        try fixture.connection.execute(
            "UPDATE public.dead_letters SET code = 'spool_damage', line = NULL, message = 'a flipped bit'")
        let open = try fixture.verify()
        #expect(!open.ok)
        #expect(open.text.contains("1 acknowledged lines are LOST in 1 damaged places: a flipped bit"), "\(open.text)")
        try fixture.connection.execute(
            "UPDATE public.dead_letters SET state = 'purged', resolved_at = now()")
        let purged = try fixture.verify()
        #expect(purged.ok)
        #expect(purged.notes.contains { $0.contains("acknowledged by a purge") }, "\(purged.notes)")
    }

    @Test func `a sound account balances by kind`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(1, first: 1, events: 10, conversations: 5, duplicates: 2, dead: 1, refused: 2)
        try fixture.addBatch(2, first: 21, events: 10)
        let report = try fixture.verify(fixture.snapshot([(25..<31, .event), (31..<40, .conversation)], end: 40))
        #expect(report.ok, "\(report.text)")
        #expect(
            report.conservation == [
                .init(kind: "event", committed: 20, duplicate: 2, dead: 1),
                .init(kind: "conversation", committed: 5, inSpool: 9),
                .init(kind: "refused", refused: 2),
                .init(kind: "total", committed: 25, duplicate: 2, dead: 1, refused: 2, inSpool: 9),
            ])
        #expect(report.conservation.last?.received == 39)
    }

    @Test func `a hole in the ledger that no spool fills is lost`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(1, first: 1, events: 10)
        try fixture.addBatch(2, first: 21, events: 10)
        let report = try fixture.verify(fixture.snapshot([(21..<31, .event)], end: 31))
        let failed = report.checks.filter { !$0.ok }
        #expect(failed.map(\.name) == ["every sequence is in the ledger or in the spool"])
        #expect(failed.first?.detail.contains("10 sequences are LOST: 11…20") == true)
        #expect(failed.first?.fix != nil)
    }

    @Test func `the same hole is in flight while the spool holds it`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(1, first: 1, events: 10)
        try fixture.addBatch(2, first: 21, events: 10)
        let report = try fixture.verify(fixture.snapshot([(1..<31, .event)], end: 31))
        #expect(report.ok, "\(report.text)")
        #expect(report.conservation.first?.inSpool == 10)
    }

    @Test func `batches that overlap are found`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(1, first: 1, events: 10)
        try fixture.addBatch(2, first: 10, events: 3)
        #expect(try fixture.verify().checks.filter { !$0.ok }.map(\.name) == ["no sequence is in two batches"])
    }

    @Test(arguments: [
        "DELETE FROM public.analytics_events WHERE ctid IN (SELECT ctid FROM public.analytics_events LIMIT 1)",
        "UPDATE public.analytics_events SET batch_id = 99",
        "SET millrace.conversations = 'by hand'; DELETE FROM public.conversations",
    ])
    func `rows that are not as the ledger says are found`(change: String) throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(1, first: 1, events: 3, conversations: 1)
        try fixture.connection.execute(change)
        #expect(try fixture.verify().checks.filter { !$0.ok }.map(\.name) == ["the tables hold what the ledger says"])
    }

    @Test func `a dead letter that is gone is found`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(1, first: 1, dead: 2, refused: 1)
        try fixture.connection.execute("DELETE FROM public.dead_letters WHERE kind = 'refused'")
        let failed = try fixture.verify().checks.filter { !$0.ok }
        #expect(failed.map(\.name) == ["every refused line has its dead letter"])
    }

    @Test func `an id at two times is told and is no error`() throws {
        let fixture = try LedgerFixture()
        try fixture.addBatch(1, first: 1, events: 2)
        try fixture.connection.execute(
            "UPDATE public.analytics_events SET id = (SELECT id FROM public.analytics_events LIMIT 1), "
                + "created_at = created_at + (ctid::text = '(0,1)')::int * interval '1 hour'")
        let report = try fixture.verify()
        #expect(report.ok)
        #expect(report.notes.contains { $0.hasPrefix("1 event ids stand at more than one created_at") })
    }
}
