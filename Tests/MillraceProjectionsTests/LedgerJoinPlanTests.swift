import Testing

@testable import MillraceProjections

struct LedgerJoinPlanTests {
    private static let day = Int64(86_400_000) << 22

    /// A plain row of one line a sequence.
    private func plain(
        _ batchID: Int64, _ sequences: ClosedRange<Int64>, spool: String = "a", folded: String = "{1}"
    ) -> LedgerEntry {
        LedgerEntry(
            spool: spool, sequences: sequences, batchIDs: batchID...batchID, isJoined: false, folded: folded,
            lines: sequences.count)
    }

    private func joined(
        _ span: ClosedRange<Int64>, _ sequences: ClosedRange<Int64>, spool: String = "a", folded: String = "{1}"
    ) -> LedgerEntry {
        LedgerEntry(
            spool: spool, sequences: sequences, batchIDs: span, isJoined: true, folded: folded, lines: sequences.count)
    }

    private func join(
        _ span: ClosedRange<Int64>, _ sequences: ClosedRange<Int64>, spool: String = "a", folded: String = "{1}"
    ) -> LedgerJoinPlan.Join {
        .init(spool: spool, sequences: sequences, span: span, folded: folded)
    }

    private func plan(_ entries: [LedgerEntry], linesMax: Int = 1000) -> [LedgerJoinPlan.Join] {
        LedgerJoinPlan(entries.sorted(by: LedgerEntry.precedes), linesMax: linesMax).joins
    }

    @Test func `neighbours become one, and a lone row stays as it is`() {
        #expect(plan([plain(1, 1...3), plain(2, 4...4), plain(5, 5...9)]) == [join(1...5, 1...9)])
        #expect(plan([plain(1, 1...3)]).isEmpty)
        #expect(plan([]).isEmpty)
    }

    @Test func `across a gap nothing is joined`() {
        #expect(
            plan([plain(1, 1...3), plain(2, 4...5), plain(3, 7...8), plain(4, 9...9)])
                == [join(1...4, 1...5), join(1...4, 7...9)])
        #expect(plan([plain(1, 1...3), plain(2, 5...6)]).isEmpty)
    }

    @Test func `several spools share a span`() {
        #expect(
            plan([plain(1, 1...3), plain(2, 1...3, spool: "b"), plain(3, 4...5), plain(4, 4...9, spool: "b")])
                == [join(1...4, 1...5), join(1...4, 1...9, spool: "b")])
        // The lone row of b stays exact by itself, within the span or after it.
        #expect(
            plan([plain(1, 1...3), plain(2, 1...3, spool: "b"), plain(3, 4...5), plain(4, 9...9, spool: "b")])
                == [join(1...3, 1...5)])
    }

    @Test func `rows that other versions hold stay plain until a rebuild has made them alike`() {
        let rows = [
            plain(1, 1...1), plain(2, 2...2), plain(3, 3...3, folded: "{}"), plain(4, 4...4), plain(5, 5...5),
        ]
        #expect(plan(rows) == [join(1...5, 1...2), join(1...5, 4...5)])
        #expect(
            plan([joined(1...5, 1...2), joined(1...5, 4...5), plain(3, 3...3)]) == [join(1...5, 1...5)])
        #expect(plan([joined(1...5, 1...2), joined(1...5, 4...5), plain(3, 3...3, folded: "{}")]).isEmpty)
    }

    @Test func `a day's border (UTC) is a span's border`() {
        #expect(
            plan([
                plain(Self.day - 2, 1...1), plain(Self.day - 1, 2...2), plain(Self.day, 3...3),
                plain(Self.day + 9, 4...4),
            ])
                == [join(Self.day - 2...Self.day - 1, 1...2), join(Self.day...Self.day + 9, 3...4)])
    }

    @Test func `a span takes up to its bound, and the next one begins after it`() {
        #expect(
            plan((1...7).map { plain($0, $0...$0) }, linesMax: 3)
                == [join(1...3, 1...3), join(4...6, 4...6)])
        // More than the bound by itself.
        #expect(plan([plain(1, 1...9), plain(2, 10...10), plain(3, 11...11)], linesMax: 3) == [join(2...3, 10...11)])
    }

    @Test func `a span is gone on with, and what comes late is let into it`() {
        #expect(plan([joined(1...4, 1...4), plain(5, 5...5)]) == [join(1...5, 1...5)])
        #expect(plan([joined(1...4, 1...4), plain(3, 5...5)], linesMax: 4) == [join(1...4, 1...5)])
        #expect(plan([joined(1...4, 1...4), plain(9, 7...7)]).isEmpty)
        // Every joined row of a span gets its new borders.
        #expect(
            plan([joined(1...4, 1...4), joined(1...4, 1...9, spool: "b"), plain(5, 5...5)])
                == [join(1...5, 1...5), join(1...5, 1...9, spool: "b")])
    }

    @Test func `two spans become one when they fit, and never overlap`() {
        #expect(
            plan([joined(1...4, 1...4), joined(6...9, 6...9), plain(5, 5...5)]) == [join(1...9, 1...9)])
        #expect(
            plan([joined(1...4, 1...4), joined(6...9, 6...9), plain(5, 5...5)], linesMax: 6)
                == [join(1...5, 1...5)])
        #expect(plan([joined(1...4, 1...4), joined(6...9, 6...9, folded: "{}"), plain(10, 10...10)]).isEmpty)
    }

    @Test func `batches with the same id stay apart`() {
        #expect(
            plan([plain(1, 1...1), plain(2, 2...2), plain(2, 1...1, spool: "b"), plain(3, 2...2, spool: "b")]).isEmpty)
    }
}
