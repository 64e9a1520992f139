import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceWriter

@Suite(.timeLimit(.minutes(10))) struct BatchSchedulerTests {
    private let extents = ExtentChannel(rowsMax: 100, bytesMax: 1 << 20)

    private func publish(_ sequences: Range<UInt64>) {
        extents.publish(
            Extent(
                segment: 1, offset: Int(sequences.lowerBound), length: sequences.count,
                firstSequence: sequences.lowerBound, count: sequences.count))
    }

    @Test func `a waiting writer gets what is published, once writers may take batches`() async {
        let scheduler = BatchScheduler(BatchScheduleStateMachine(rowsMax: 100), of: extents)
        async let batch = scheduler.nextBatch(for: 0)
        publish(0..<10)
        #expect(scheduler.waitingCount == 10)
        scheduler.setOpen(true)
        #expect(await batch?.sequences == 0..<10)
        #expect(!scheduler.isDrained)
        scheduler.batchEnded()
        #expect(scheduler.isDrained)
    }

    @Test func `what is due by time alone comes without anything new`() async {
        let machine = BatchScheduleStateMachine(
            rowsMax: 100, joinRows: 20, patience: .milliseconds(1), pace: BatchPace(smallInterval: .milliseconds(1)))
        let scheduler = BatchScheduler(machine, of: extents)
        scheduler.setOpen(true)
        await withTaskGroup { group in
            group.addTask { await scheduler.keepTime() }
            for sequence in UInt64(0)..<20 {
                publish(sequence..<sequence + 1)
                // By the pace, and by the patience with the first writer.
                #expect(await scheduler.nextBatch(for: Int(sequence) % 2)?.sequences == sequence..<sequence + 1)
            }
            scheduler.finish()
        }
    }

    @Test func `a batch that failed comes again, in its parts`() async {
        let scheduler = BatchScheduler(BatchScheduleStateMachine(rowsMax: 100), of: extents)
        scheduler.setOpen(true)
        publish(0..<10)
        guard let batch = await scheduler.nextBatch(for: 0) else { return }
        scheduler.setAside(batch, as: [batch], until: .now + .seconds(3600))
        scheduler.batchEnded()
        #expect(scheduler.waitingCount == 10)
        publish(20..<30)
        guard let other = await scheduler.nextBatch(for: 0) else { return }
        #expect(other.sequences == 20..<30)
        scheduler.batchCommitted(other, isRetryWorthwhile: true)
        #expect(await scheduler.nextBatch(for: 0) == batch)
    }

    @Test func `a cancelled or finished wait gets nothing`() async {
        let scheduler = BatchScheduler(BatchScheduleStateMachine(rowsMax: 100), of: extents)
        let cancelled = await withTaskGroup(of: Batch?.self) { group in
            group.addTask { await scheduler.nextBatch(for: 0) }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(cancelled == nil)
        async let waiting = scheduler.nextBatch(for: 0)
        scheduler.finish()
        #expect(await waiting == nil)
        #expect(await scheduler.nextBatch(for: 0) == nil)
    }
}
