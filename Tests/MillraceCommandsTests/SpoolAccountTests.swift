import MillraceEvent
import Testing

@testable import MillraceCommands

struct SpoolAccountTests {
    private func snapshot(_ runs: [(Range<UInt64>, RecordKind)], end: UInt64, burnt: [Range<UInt64>] = [])
        -> SpoolSnapshot
    {
        SpoolSnapshot(
            spoolID: UniqueID(high: 1, low: 2), endSequence: end,
            runs: runs.map { .init(sequences: $0.0, kind: $0.1, receivedAt: Timestamp(microseconds: 0)) },
            burnt: burnt)
    }

    private func totals(_ first: UInt64, _ end: UInt64) -> LedgerTotals {
        var totals = LedgerTotals()
        totals.batches = 1
        totals.firstSequence = first
        totals.endSequence = end
        return totals
    }

    @Test func `what is not in the ledger and readable is in spool, by kind`() {
        let account = SpoolAccount(
            snapshot: snapshot([(50..<80, .event), (80..<90, .conversation), (90..<95, .refused)], end: 95),
            totals: totals(1, 70), holes: [])
        #expect(account.inSpool == [.event: 10, .conversation: 10, .refused: 5])
        #expect(account.lost.isEmpty)
    }

    @Test func `what is neither in the ledger nor readable is lost`() {
        let account = SpoolAccount(
            snapshot: snapshot([(60..<80, .event)], end: 80), totals: totals(11, 80), holes: [40..<50, 60..<65])
        #expect(account.lost.ranges == [1..<11, 40..<50])
        #expect(account.inSpool[.event] == 5)
    }

    @Test func `what was never acknowledged is not lost`() {
        let account = SpoolAccount(
            snapshot: snapshot([(1..<10, .event), (20..<30, .event)], end: 30, burnt: [10..<20]),
            totals: LedgerTotals(), holes: [])
        #expect(account.lost.isEmpty)
        #expect(account.inSpool[.event] == 19)
    }

    @Test func `batches and holes behind the snapshot are not audited`() {
        let account = SpoolAccount(
            snapshot: snapshot([(1..<30, .event)], end: 30), totals: totals(1, 40), holes: [50..<60])
        #expect(account.lost.isEmpty)
        #expect(account.inSpool[.event] == 0)
    }
}
