import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceWriter

@Suite struct BatchPaceTests {
    private static let start = ContinuousClock.now

    /// Plays arrivals (in milliseconds) against a writer that is always free, and returns when batches were taken, and of
    /// how many rows.
    private struct Transcript {
        var pace = BatchPace(interval: .milliseconds(10), smallInterval: .milliseconds(50))
        var taken: [(millisecond: Int, rows: Int)] = []
        var waiting = ExtentChannel.Waiting(rows: 0)

        mutating func run(milliseconds: Range<Int>, arrivals: (Int) -> Int) {
            for millisecond in milliseconds {
                waiting.rows += arrivals(millisecond)
                let now = BatchPaceTests.start + .milliseconds(millisecond)
                guard waiting.rows > 0, pace.decide(waiting, at: now) == .take else { continue }
                taken.append((millisecond, waiting.rows))
                pace.batchTaken(rows: waiting.rows, at: now)
                waiting = ExtentChannel.Waiting(rows: 0)
            }
        }
    }

    @Test func `an event each 5 ms makes 20 batches a second, of which the first goes at once`() {
        var transcript = Transcript()
        transcript.run(milliseconds: 0..<1000) { $0 % 5 == 0 ? 1 : 0 }
        #expect(transcript.taken.map(\.millisecond) == Array(stride(from: 0, to: 1000, by: 50)))
        #expect(transcript.taken.map(\.rows) == [1] + [Int](repeating: 10, count: 19))
    }

    @Test func `a lone event after a quiet time goes at once`() {
        var transcript = Transcript()
        transcript.run(milliseconds: 0..<1000) { [0, 7, 300, 349, 351, 900].contains($0) ? 1 : 0 }
        #expect(transcript.taken.map(\.millisecond) == [0, 50, 300, 350, 400, 900])
    }

    @Test(arguments: [(perMillisecond: 2, interval: 50), (5, 20), (20, 10), (100, 10)])
    func `the more rows come, the sooner they go, down to the interval`(perMillisecond: Int, interval: Int) {
        var transcript = Transcript()
        transcript.run(milliseconds: 0..<1000) { _ in perMillisecond }
        let times = transcript.taken.dropFirst(2).map(\.millisecond)
        #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == interval })
    }

    @Test func `a flood is not held back`() {
        var transcript = Transcript()
        transcript.run(milliseconds: 0..<10) { _ in 2048 }
        #expect(transcript.taken.map(\.millisecond) == Array(0..<10))
    }

    @Test func `who waits for a line holds nothing back, and a backlog is not held back`() {
        var pace = BatchPace(interval: .milliseconds(10), smallInterval: .milliseconds(50))
        pace.batchTaken(rows: 1, at: Self.start)
        let soon = Self.start + .milliseconds(1)
        #expect(pace.decide(.init(rows: 1), at: soon) == .wait(until: Self.start + .milliseconds(50)))
        #expect(pace.decide(.init(rows: 1, isAwaited: true), at: soon) == .take)
        #expect(pace.decide(.init(rows: 1, hasBacklog: true), at: soon) == .take)
        #expect(pace.decide(.init(rows: 100), at: soon) == .take)
    }

    @Test func `after a batch of middling size all wait for the interval, as long as few rows wait`() {
        var pace = BatchPace(interval: .milliseconds(10), smallInterval: .milliseconds(50))
        pace.batchTaken(rows: 32, at: Self.start)
        let soon = Self.start + .milliseconds(9)
        for waiting in [ExtentChannel.Waiting(rows: 1, isAwaited: true), .init(rows: 100), .init(rows: 2047)] {
            #expect(pace.decide(waiting, at: soon) == .wait(until: Self.start + .milliseconds(10)))
            #expect(pace.decide(waiting, at: Self.start + .milliseconds(10)) == .take)
        }
        #expect(pace.decide(.init(rows: 2048), at: soon) == .take)
    }

    @Test func `without intervals, and before the first batch, nothing waits`() {
        var pace = BatchPace()
        pace.batchTaken(rows: 32, at: Self.start)
        #expect(pace.decide(.init(rows: 1), at: Self.start) == .take)
        #expect(BatchPace(smallInterval: .seconds(3600)).decide(.init(rows: 1), at: Self.start) == .take)
    }
}
