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
            totals: totals(1, 70), holes: [], runStarts: [])
        #expect(account.inSpool == [.event: 10, .conversation: 10, .refused: 5])
        #expect(account.lost.isEmpty)
    }

    @Test func `what is neither in the ledger nor readable is lost`() {
        let account = SpoolAccount(
            snapshot: snapshot([(60..<80, .event)], end: 80), totals: totals(11, 80), holes: [40..<50, 60..<65],
            runStarts: [])
        #expect(account.lost.ranges == [1..<11, 40..<50])
        #expect(account.inSpool[.event] == 5)
    }

    @Test func `what was never acknowledged is not lost`() {
        let account = SpoolAccount(
            snapshot: snapshot([(1..<10, .event), (20..<30, .event)], end: 30, burnt: [10..<20]),
            totals: LedgerTotals(), holes: [], runStarts: [])
        #expect(account.lost.isEmpty)
        #expect(account.inSpool[.event] == 19)
    }

    @Test func `batches and holes after the snapshot are not audited`() {
        let account = SpoolAccount(
            snapshot: snapshot([(1..<30, .event)], end: 30), totals: totals(1, 40), holes: [50..<60], runStarts: [])
        #expect(account.lost.isEmpty)
        #expect(account.inSpool[.event] == 0)
    }

    @Test func `between two runs there are no lines, within one every hole is one`() {
        let second: UInt64 = 1 << 57
        var snapshot = snapshot([(second..<second + 10, .event)], end: second + 10)
        snapshot.runStarts = [second]
        // The ledger has 1 ..< 80 of the first run, and 5 ..< 8 of the second.
        let account = SpoolAccount(
            snapshot: snapshot, totals: totals(1, second + 8), holes: [20..<22, 80..<second + 5], runStarts: [1])
        #expect(account.lost.ranges == [20..<22])
        #expect(account.inSpool[.event] == 7)
        #expect(account.holes.count == 7)
    }

    @Test func `the lines of a segment file that is missing are lost, though the ledger never had one of the run`() {
        let first: UInt64 = 1 << 57
        let second: UInt64 = first + 1 << 40
        var snapshot = snapshot([(second..<second + 5, .event)], end: second + 5)
        snapshot.runStarts = [second]
        snapshot.segmentEnds = [first + 12]
        let account = SpoolAccount(snapshot: snapshot, totals: LedgerTotals(), holes: [], runStarts: [first])
        #expect(account.lost.ranges == [first..<first + 12])
        #expect(account.inSpool[.event] == 5)
    }

    @Test func `the lines of a copy of the spool on another host are open until its daemon writes them`() {
        let other: UInt64 = 1 << 57
        let account = SpoolAccount(
            snapshot: nil, totals: totals(1, other + 20), holes: [100..<other, other + 5..<other + 8],
            runStarts: [1, other])
        #expect(account.holes.ranges == [other + 5..<other + 8])
    }
}
