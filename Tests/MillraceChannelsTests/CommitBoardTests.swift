import MillraceTestSupport
import MillraceChannels
import MillraceEvent
import Synchronization
import Testing

@Suite struct CommitBoardTests {
    private final class Replies: Sendable {
        private let outcomes = Mutex<[Submission.Outcome]>([])
        var all: [Submission.Outcome] { outcomes.withLock { $0 } }
        func append(_ outcome: Submission.Outcome) { outcomes.withLock { $0.append(outcome) } }
    }

    private static func outcome(_ sequences: Range<UInt64>, duplicates: [UInt64] = [], dead: [UInt64] = [])
        -> BatchOutcome
    {
        var outcome = BatchOutcome(sequences: sequences)
        outcome.duplicateSequences = duplicates
        outcome.deadSequences = dead
        return outcome
    }

    private static func lines(
        duplicates: Int = 0, dead: Int = 0, parked: Int = 0, reports: [LineReport] = []
    ) -> CommittedLines {
        var lines = CommittedLines()
        (lines.duplicates, lines.dead, lines.parked, lines.reports) = (duplicates, dead, parked, reports)
        return lines
    }

    private static func report(_ sequence: UInt64) -> LineReport {
        LineReport(
            sequence: sequence, .parked(pack: "demo", fold: "orders"), code: "database", constraint: "orders_key",
            sqlState: "23505", message: "no")
    }

    @Test func `a wait hears of its own lines, in order, as many as it wants, and counts all`() {
        let board = CommitBoard()
        let replies = Replies()
        board.wait(for: 10..<20, reportsMax: 3) { replies.append($0) }
        board.wait(for: 20..<22, reportsMax: 9) { replies.append($0) }
        var later = Self.outcome(15..<30)
        later.parkedSequences = [16, 16, 21]
        later.reports = [Self.report(16), Self.report(16), Self.report(21)]
        board.batchCommitted(later)
        var earlier = Self.outcome(0..<15, dead: [3])
        earlier.parkedSequences = [2, 11, 12]
        earlier.reports = [Self.report(11), Self.report(12)]
        board.batchCommitted(earlier)
        #expect(
            replies.all == [
                .committed(20..<22, Self.lines(parked: 1, reports: [Self.report(21)])),
                .committed(
                    10..<20,
                    Self.lines(parked: 4, reports: [Self.report(11), Self.report(16), Self.report(16)])),
            ])
    }

    @Test func `of lines that were committed before, a wait is never told that they went in`() {
        let board = CommitBoard()
        let replies = Replies()
        board.wait(for: 10..<20) { replies.append($0) }
        board.wait(for: 20..<30) { replies.append($0) }
        board.foundCommitted([12..<15, 17..<20])
        #expect(replies.all.isEmpty)
        board.batchCommitted(Self.outcome(15..<17))
        board.batchCommitted(Self.outcome(10..<12))
        board.batchCommitted(Self.outcome(20..<30))
        #expect(replies.all == [.durable(10..<20), .committed(20..<30, Self.lines())])
    }

    @Test func `a wait is answered once its last line is settled`() {
        let board = CommitBoard()
        let replies = Replies()
        board.wait(for: 10..<20) { replies.append($0) }
        board.batchCommitted(Self.outcome(15..<30, duplicates: [9, 16, 20], dead: [17]))
        board.batchCommitted(Self.outcome(0..<12, duplicates: [9, 11]))
        #expect(replies.all.isEmpty)
        board.batchCommitted(Self.outcome(12..<15))
        board.batchCommitted(Self.outcome(12..<15))
        #expect(replies.all == [.committed(10..<20, Self.lines(duplicates: 2, dead: 1))])
    }

    @Test func `a batch is awaited exactly when someone waits for one of its lines`() {
        let board = CommitBoard()
        board.wait(for: 10..<20, reportsMax: 1) { _ in }
        board.wait(for: 30..<40, reportsMax: 2) { _ in }
        for (range, isAwaited) in [
            (0..<10, false), (0..<11, true), (19..<20, true), (20..<30, false), (25..<31, true), (39..<50, true),
            (40..<50, false), (12..<13, true),
        ] as [(Range<UInt64>, Bool)] {
            #expect(!board.awaited(in: range).isEmpty == isAwaited)
        }
        let first = CommitBoard.Awaited(sequences: 10..<20, reportsMax: 1)
        let second = CommitBoard.Awaited(sequences: 30..<40, reportsMax: 2)
        #expect(board.awaited(in: 19..<31) == [first, second])
        board.batchCommitted(Self.outcome(10..<20))
        #expect(board.awaited(in: 10..<31) == [second])
    }

    @Test func `who still waits at the end is told that the lines are durable`() {
        let board = CommitBoard()
        let replies = Replies()
        board.wait(for: 1..<3) { replies.append($0) }
        board.batchCommitted(Self.outcome(1..<2))
        board.finish()
        board.finish()
        #expect(replies.all == [.durable(1..<3)])
    }

    @Test func `batches in any order answer every wait once`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("commit board seed \(seed)")
        var random = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            let board = CommitBoard()
            let replies = Replies()
            var waits: [Range<UInt64>] = []
            for start in stride(from: UInt64(0), to: 100, by: 10) where Bool.random(using: &random) {
                waits.append(start..<start + UInt64.random(in: 1...10, using: &random))
            }
            for wait in waits { board.wait(for: wait) { replies.append($0) } }
            var cuts = Set((0..<8).map { _ in UInt64.random(in: 1..<100, using: &random) })
            cuts.formUnion([0, 100])
            let borders = cuts.sorted()
            for (start, end) in zip(borders, borders.dropFirst()).shuffled(using: &random) {
                board.batchCommitted(Self.outcome(start..<end, duplicates: Array(start..<end)))
            }
            let expected = waits.map { Submission.Outcome.committed($0, Self.lines(duplicates: $0.count)) }
            #expect(replies.all.count == waits.count && expected.allSatisfy(replies.all.contains), "seed \(seed)")
        }
    }
}
