import MillraceEvent
import MillracePostgres
import Synchronization
@testable import MillraceWriter
import Testing

@Suite struct CleaningPaceTests {
    private static let start = ContinuousClock.now

    /// When cleanings begin, in tenths of a second, while `rows` have been committed by then; each takes no time.
    private func cleanings(tenths: Range<Int>, rows: (Int) -> Int) -> [Int] {
        var pace = CleaningPace(interval: .seconds(1), limit: .seconds(30), manyRows: 2000)
        var begun: [Int] = []
        for tenth in tenths {
            let now = Self.start + .milliseconds(tenth * 100)
            guard pace.looked(rows: rows(tenth), at: now) == .clean else { continue }
            begun.append(tenth)
            pace.cleaned(rows: rows(tenth), at: now)
        }
        return begun
    }

    @Test func `nothing committed, nothing cleaned`() {
        #expect(cleanings(tenths: 0..<1000) { _ in 0 } == [])
    }

    @Test func `a lone row waits for the limit, and with it those that come meanwhile`() {
        #expect(cleanings(tenths: 0..<1000) { ($0 + 99) / 100 } == [301, 701])
    }

    @Test func `at 200 rows a second the lists are emptied each 10 s, and not in every lull`() {
        #expect(cleanings(tenths: 0..<450) { $0 * 20 } == [100, 200, 300, 400])
        #expect(cleanings(tenths: 0..<450) { $0 / 5 * 100 } == [100, 200, 300, 400])
    }

    @Test func `in a flood a second after the last time, and after it in the lull`() {
        let flood = cleanings(tenths: 0..<100) { min($0, 35) * 2500 }
        #expect(flood == [1, 11, 21, 31, 37])
    }

    @Test func `it looks again before anything may be due`() {
        var pace = CleaningPace(interval: .seconds(1), limit: .seconds(30), manyRows: 2000)
        #expect(pace.looked(rows: 0, at: Self.start) == .look(after: .seconds(1)))
        #expect(pace.looked(rows: 1, at: Self.start) == .look(after: .seconds(1)))
        #expect(pace.looked(rows: 2000, at: Self.start) == .clean)
        pace.cleaned(rows: 2000, at: Self.start)
        #expect(pace.looked(rows: 5000, at: Self.start) == .look(after: .milliseconds(200)))
    }

    @Test func `how long rows wait is known until they are sorted in`() {
        var pace = CleaningPace(interval: .seconds(1), limit: .seconds(30), manyRows: 2000)
        _ = pace.looked(rows: 0, at: Self.start)
        #expect(pace.pendingSince == nil)
        _ = pace.looked(rows: 5, at: Self.start + .seconds(1))
        _ = pace.looked(rows: 9000, at: Self.start + .seconds(7))
        #expect(pace.pendingSince == Self.start + .seconds(1))
        pace.cleaned(rows: 9000, at: Self.start + .seconds(8))
        #expect(pace.pendingSince == nil)
    }

    @Test func `what a killed daemon may have left is sorted in once, though nothing is committed here`() {
        var pace = CleaningPace(interval: .seconds(1), limit: .seconds(30), manyRows: 2000)
        pace.othersMayWait()
        #expect(pace.looked(rows: 0, at: Self.start) == .look(after: .seconds(1)))
        #expect(pace.looked(rows: 0, at: Self.start + .seconds(30)) == .clean)
        pace.cleaned(rows: 0, at: Self.start + .seconds(30))
        #expect(pace.looked(rows: 0, at: Self.start + .seconds(90)) == .look(after: .seconds(1)))
        #expect(pace.pendingSince == nil)
    }

    @Test func `in a flood one daemon keeps the turn, and gives it back after that`() {
        var pace = CleaningPace(interval: .seconds(1), limit: .seconds(30), manyRows: 2000)
        #expect(!pace.keepsTurn(at: Self.start))
        _ = pace.looked(rows: 5000, at: Self.start)
        pace.cleaned(rows: 5000, at: Self.start)
        #expect(pace.keepsTurn(at: Self.start + .seconds(1)))
        #expect(!pace.keepsTurn(at: Self.start + .seconds(2)))
        pace.cleaned(rows: 5100, at: Self.start + .seconds(3))
        #expect(!pace.keepsTurn(at: Self.start + .seconds(3)))
    }

    @Test func `who leaves the lists to another daemon asks again: in a flood soon, with few rows later`() {
        var pace = CleaningPace(interval: .seconds(1), limit: .seconds(30), manyRows: 2000)
        #expect(pace.looked(rows: 2000, at: Self.start) == .clean)
        pace.leftToOthers(at: Self.start)
        #expect(pace.looked(rows: 2500, at: Self.start + .milliseconds(200)) == .clean)
        #expect(pace.pendingSince == Self.start)
        var few = CleaningPace(interval: .seconds(1), limit: .seconds(30), manyRows: 2000)
        _ = few.looked(rows: 5, at: Self.start)
        #expect(few.looked(rows: 5, at: Self.start + .seconds(30)) == .clean)
        few.leftToOthers(at: Self.start + .seconds(30))
        #expect(few.looked(rows: 5, at: Self.start + .seconds(59)) == .look(after: .seconds(1)))
        #expect(few.looked(rows: 5, at: Self.start + .seconds(60)) == .clean)
    }

    @Test func `months ahead become fewer when nobody makes any`() {
        let metrics = WriterMetrics()
        let november: Int64 = 1_796_040_000_000_000
        #expect(metrics.monthsAhead(at: november) == 0)
        metrics.lastMonthReady.withLock { $0 = PartitionMonth(year: 2027, month: 2) }
        #expect(metrics.monthsAhead(at: november) == 3)
        #expect(metrics.monthsAhead(at: november + 32 * 86_400_000_000) == 1)
        #expect(metrics.monthsAhead(at: november + 400 * 86_400_000_000) == 0)
    }
}
