import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceWriter

@Suite struct BatchScheduleStateMachineTests {
    private static let start = ContinuousClock.now

    /// Plays writers and a channel against the machine. Sequences are given out one after the other, and each batch is
    /// one extent.
    private struct Transcript {
        var machine: BatchScheduleStateMachine
        var waiting = ExtentChannel.Waiting(rows: 0)
        var millisecond = 0
        private var next: UInt64 = 0

        init(_ machine: BatchScheduleStateMachine, isOpen: Bool = true) {
            self.machine = machine
            self.machine.gateChanged(isOpen: isOpen)
        }

        var now: ContinuousClock.Instant { BatchScheduleStateMachineTests.start + .milliseconds(millisecond) }

        /// All that is to be done now: `0+30`: writer 0 gets a batch of 30 rows; `1<7`: writer 1 gets the batch again that
        /// begins with sequence 7; `2-`: writer 2 is sent away; `@90`: called for at 90 ms.
        mutating func actions() -> [String] {
            var said: [String] = []
            while let action = machine.next(waiting, at: now) {
                switch action {
                case .take(let rowsMax, let writer):
                    let rows = min(rowsMax, waiting.rows)
                    waiting.rows -= rows
                    next += UInt64(rows)
                    machine.batchTaken(rows: rows, at: now)
                    said.append("\(writer)+\(rows)")
                case .retry(let batch, let writer): said.append("\(writer)<\(batch.sequences.lowerBound)")
                case .dismiss(let writer): said.append("\(writer)-")
                case .wake(let instant):
                    said.append(
                        "@\((instant - BatchScheduleStateMachineTests.start) / .milliseconds(1))".replacing(
                            ".0", with: ""))
                }
            }
            return said
        }

        mutating func asked(_ writers: Int...) -> [String] {
            for writer in writers { machine.writerAsked(writer) }
            return actions()
        }

        mutating func published(_ rows: Int, isAwaited: Bool = false) -> [String] {
            waiting.rows += rows
            waiting.isAwaited = isAwaited
            return actions()
        }

        mutating func waited(until millisecond: Int) -> [String] {
            self.millisecond = millisecond
            machine.woken(at: now)
            return actions()
        }

        mutating func failed(from first: UInt64, _ rows: Int, until millisecond: Int) -> [String] {
            let batch = batch(first, rows)
            machine.batchFailed(
                batch, parts: [batch], until: BatchScheduleStateMachineTests.start + .milliseconds(millisecond))
            machine.batchEnded()
            return actions()
        }

        mutating func committed(from first: UInt64, _ rows: Int) -> [String] {
            machine.batchCommitted(batch(first, rows))
            machine.batchEnded()
            return actions()
        }

        private func batch(_ first: UInt64, _ rows: Int) -> Batch {
            Batch(extents: [Extent(segment: 1, offset: 0, length: rows, firstSequence: first, count: rows)])
        }
    }

    @Test func `writers share what waits, in batches that are not too small`() {
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 100, writers: 2))
        transcript.waiting.rows = 120
        #expect(transcript.asked(0) == ["0+60"])
        #expect(transcript.asked(1) == ["1+30"])
        #expect(transcript.asked(0) == ["0+25"])
        #expect(transcript.asked(0) == ["0+5"])
        transcript.waiting.rows = 1000
        #expect(transcript.asked(1, 0) == ["0+100", "1+100"])
    }

    @Test func `nothing is handed out while PostgreSQL is away`() {
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 10), isOpen: false)
        #expect(transcript.published(10) == [])
        #expect(transcript.asked(0, 1) == [])
        transcript.machine.gateChanged(isOpen: true)
        #expect(transcript.actions() == ["0+10"])
    }

    @Test func `a helper joins when much waits, and leaves little to the first writer`() {
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 100, writers: 2, joinRows: 20))
        #expect(transcript.asked(1) == [])
        #expect(transcript.published(10) == ["@200"])
        #expect(transcript.published(5) == [])
        #expect(transcript.asked(0) == ["0+15"])
        #expect(transcript.published(20) == ["1+20"])
    }

    @Test func `a helper takes what the first writer leaves lying`() {
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 100, writers: 3, joinRows: 20))
        #expect(transcript.asked(2, 1) == [])
        #expect(transcript.published(1) == ["@200"])
        #expect(transcript.waited(until: 199) == [])
        #expect(transcript.waited(until: 200) == ["2+1"])
        transcript.millisecond = 300
        #expect(transcript.published(1) == ["@500"])
        #expect(transcript.waited(until: 500) == ["1+1"])
    }

    @Test func `what the pace holds back is handed out in time, though nothing comes after it`() {
        let pace = BatchPace(smallInterval: .milliseconds(50))
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 100, pace: pace))
        #expect(transcript.asked(0) == [])
        #expect(transcript.published(1) == ["0+1"])
        #expect(transcript.published(1) == [])
        #expect(transcript.asked(0) == ["@50"])
        #expect(transcript.waited(until: 50) == ["0+1"])
    }

    @Test func `lines gather in the pace until someone waits for one, for all writers together`() {
        let pace = BatchPace(smallInterval: .seconds(3600))
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 100, writers: 2, joinRows: 2, pace: pace))
        transcript.waiting.rows = 1
        #expect(transcript.asked(0) == ["0+1"])
        #expect(transcript.asked(0, 1) == [])
        #expect(transcript.published(4) == ["@3600000"])
        #expect(transcript.published(1, isAwaited: true) == ["0+5"])
        #expect(transcript.published(4) == [])
        #expect(transcript.published(96) == ["1+50"])
        #expect(transcript.waiting.rows == 50)
    }

    @Test func `a backlog is not held back, and nothing is when the daemon stops`() {
        let pace = BatchPace(interval: .seconds(3600), smallInterval: .seconds(3600))
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 10, pace: pace))
        transcript.waiting.hasBacklog = true
        for _ in 0..<10 {
            transcript.waiting.rows += 1
            #expect(transcript.asked(0) == ["0+1"])
        }
        transcript.waiting.hasBacklog = false
        transcript.waiting.rows += 1
        #expect(transcript.asked(0) == ["@3600000"])
        transcript.machine.drainBegan()
        #expect(transcript.actions() == ["0+1"])
        #expect(transcript.machine.takenCount == 11)
    }

    @Test func `others go on past a batch that was set aside, up to the bound, and it comes back when it is due`() {
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 10, stuckMax: 2))
        transcript.waiting.rows = 40
        #expect(transcript.asked(0) == ["0+10"])
        #expect(transcript.failed(from: 0, 10, until: 1000) == [])
        #expect(transcript.machine.asideCount == 10)
        #expect(transcript.asked(0) == ["0+10"])
        #expect(transcript.failed(from: 10, 10, until: 2000) == [])
        // At the bound only these are tried: what is due comes, and nothing new.
        #expect(transcript.asked(0) == ["@1000"])
        #expect(transcript.waited(until: 1000) == ["0<0"])
        #expect(transcript.asked(1) == [])
        #expect(transcript.committed(from: 0, 10) == ["1+10"])
        #expect(transcript.machine.takenCount == 1)
    }

    @Test func `of the batches set aside one is tried at a time, and never twice in a row while others wait`() {
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 10, writers: 2))
        transcript.waiting.rows = 60
        #expect(transcript.asked(0) == ["0+10"])
        #expect(transcript.failed(from: 0, 10, until: 1000) == [])
        #expect(transcript.asked(0) == ["0+10"])
        #expect(transcript.failed(from: 10, 10, until: 1000) == [])
        transcript.machine.retryBecameWorthwhile(at: transcript.now)
        #expect(transcript.asked(0, 1) == ["1<0", "0+10"])
        #expect(transcript.asked(0) == ["0+10"])
        #expect(transcript.committed(from: 0, 10) == [])
        #expect(transcript.asked(0) == ["0<10"])
    }

    @Test func `a writer that left gets nothing, and at the end everyone is sent away`() {
        var transcript = Transcript(BatchScheduleStateMachine(rowsMax: 10, writers: 2))
        #expect(transcript.asked(0, 1) == [])
        let (wasAsking, isAskingStill) = (transcript.machine.writerLeft(0), transcript.machine.writerLeft(0))
        #expect(wasAsking && !isAskingStill)
        #expect(transcript.published(1) == ["1+1"])
        #expect(transcript.asked(1, 0) == [])
        transcript.machine.finished()
        #expect(transcript.published(1) == ["1-", "0-"])
        #expect(transcript.asked(0) == ["0-"])
    }
}
