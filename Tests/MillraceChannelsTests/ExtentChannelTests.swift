import MillraceTestSupport
import MillraceChannels
import MillraceEvent
import Testing

@Suite(.timeLimit(.minutes(1))) struct ExtentChannelTests {
    private static func extent(_ sequences: Range<UInt64>, segment: UInt64 = 1, bytesPerLine: Int = 100) -> Extent {
        Extent(
            segment: segment, offset: Int(sequences.lowerBound) * bytesPerLine, length: sequences.count * bytesPerLine,
            firstSequence: sequences.lowerBound, count: sequences.count)
    }

    @Test func `neighbours merge into one extent`() async {
        let channel = ExtentChannel(rowsMax: 1000, bytesMax: 1 << 20)
        for start in stride(from: UInt64(0), to: 100, by: 10) { channel.publish(Self.extent(start..<start + 10)) }
        #expect(channel.waitingCount == 100)
        channel.setOpen(true)
        #expect(await channel.nextBatch() == Batch(extents: [Self.extent(0..<100)]))
        #expect(channel.waitingCount == 0)
    }

    @Test func `a batch has no gap and keeps its bounds`() async {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("extent channel seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let channel = ExtentChannel(rowsMax: 50, bytesMax: 4000)
        var published = SequenceSet()
        var next: UInt64 = 0
        for _ in 0..<500 {
            if Int.random(in: 0..<10, using: &random) == 0 { next += 1 }
            let range = next..<next + UInt64.random(in: 1...60, using: &random)
            channel.publish(Self.extent(range, segment: next / 1000))
            published.insert(range)
            next = range.upperBound
        }
        channel.setOpen(true)
        var taken = SequenceSet()
        while channel.waitingCount > 0, let batch = await channel.nextBatch() {
            #expect(!taken.contains(batch.sequences) && batch.count == batch.sequences.count, "seed \(seed)")
            let bytes = batch.extents.reduce(0) { $0 + $1.length }
            #expect(batch.extents.count == 1 || (batch.count <= 50 && bytes <= 4000), "seed \(seed)")
            taken.insert(batch.sequences)
        }
        #expect(taken == published, "seed \(seed)")
    }

    @Test func `writers share what waits, in batches that are not too small`() async {
        let channel = ExtentChannel(rowsMax: 100, bytesMax: 1 << 20, writers: 2)
        for start in stride(from: UInt64(0), to: 120, by: 10) {
            // A gap between segments keeps extents apart.
            channel.publish(Self.extent(start..<start + 10, segment: start))
        }
        channel.setOpen(true)
        var counts: [Int] = []
        while channel.waitingCount > 0, let batch = await channel.nextBatch() { counts.append(batch.count) }
        #expect(counts == [60, 30, 20, 10])
    }

    @Test func `others go on past a batch that was set aside, up to the bound, and it comes back when it is due`() async
    {
        let channel = ExtentChannel(rowsMax: 10, bytesMax: 1 << 20, stuckMax: 2)
        for start in stride(from: UInt64(0), to: 40, by: 10) {
            channel.publish(Self.extent(start..<start + 10, segment: start))
        }
        channel.setOpen(true)
        let later = ContinuousClock.now + .seconds(3600)
        guard let first = await channel.nextBatch() else { return }
        #expect(first.sequences == 0..<10)
        channel.setAside(first, as: [first], until: later)
        #expect(channel.asideCount == 10 && channel.waitingCount == 30)
        guard let second = await channel.nextBatch() else { return }
        #expect(second.sequences == 10..<20)
        channel.setAside(second, as: [second], until: later)
        // At the bound only these are tried: what is due comes, and nothing new.
        channel.retryAll()
        let again = await channel.nextBatch()
        #expect(again == first || again == second)
        if let again { channel.settled(again) }
        let other = await channel.nextBatch()
        #expect(other?.sequences.lowerBound == 20)
    }

    @Test func `a batch in halves keeps its lines`() {
        let batch = Batch(extents: [Self.extent(0..<10), Self.extent(10..<20, segment: 2), Self.extent(20..<30)])
        #expect(batch.halves.map(\.sequences) == [0..<10, 10..<30])
        #expect(batch.halves[0].halves == [batch.halves[0]])
    }

    @Test func `a batch is cut into parts of whole extents`() {
        let extents = [40, 30, 30, 200, 10].reduce(into: [Extent]()) { extents, length in
            let start = extents.last?.sequences.upperBound ?? 1
            extents.append(Self.extent(start..<start + 1, bytesPerLine: length))
        }
        let batch = Batch(extents: extents)
        #expect(batch.parts(bytesMax: 100).map(\.count) == [3, 1, 1])
        #expect(batch.parts(bytesMax: 1000).map(\.count) == [5])
        #expect(batch.parts(bytesMax: 1).flatMap { $0 } == extents)
    }

    @Test func `the backlog goes first where it is older`() async {
        let channel = ExtentChannel(rowsMax: 10, bytesMax: 1 << 20)
        channel.publish(Self.extent(50..<60))
        await channel.publishBacklog(Self.extent(0..<10))
        await channel.publishBacklog(Self.extent(70..<80))
        channel.setOpen(true)
        #expect(await channel.nextBatch()?.sequences == 0..<10)
        #expect(await channel.nextBatch()?.sequences == 50..<60)
        #expect(await channel.nextBatch()?.sequences == 70..<80)
    }

    @Test func `a closed channel holds batches back until it opens`() async {
        let channel = ExtentChannel(rowsMax: 10, bytesMax: 1 << 20)
        channel.publish(Self.extent(0..<10))
        async let batch = channel.nextBatch()
        channel.setOpen(true)
        #expect(await batch?.sequences == 0..<10)
    }

    @Test func `a helper joins when much is waiting, and leaves little to the first writer`() async {
        let channel = ExtentChannel(rowsMax: 100, bytesMax: 1 << 20, joinRows: 20, patience: .seconds(3600))
        channel.setOpen(true)
        channel.publish(Self.extent(0..<10))
        async let helped = channel.nextHelperBatch()
        channel.publish(Self.extent(10..<15))
        #expect(await channel.nextBatch()?.sequences == 0..<15)
        channel.publish(Self.extent(15..<35))
        #expect(await helped?.sequences == 15..<35)
    }

    @Test func `a helper takes what the first writer leaves lying`() async {
        let channel = ExtentChannel(rowsMax: 100, bytesMax: 1 << 20, joinRows: 20, patience: .milliseconds(1))
        await withTaskGroup { group in
            group.addTask { await channel.keepTime() }
            async let helped = channel.nextHelperBatch()
            channel.publish(Self.extent(0..<1))
            channel.setOpen(true)
            #expect(await helped?.sequences == 0..<1)
            channel.publish(Self.extent(1..<2))
            #expect(await channel.nextHelperBatch()?.sequences == 1..<2)
            channel.finish()
        }
    }

    @Test func `what the pace holds back is handed out in time, though nothing comes after it`() async {
        let channel = ExtentChannel(
            rowsMax: 100, bytesMax: 1 << 20, pace: BatchPace(smallInterval: .milliseconds(1)))
        channel.setOpen(true)
        await withTaskGroup { group in
            group.addTask { await channel.keepTime() }
            for sequence in UInt64(0)..<20 {
                channel.publish(Self.extent(sequence..<sequence + 1))
                #expect(await channel.nextBatch()?.sequences == sequence..<sequence + 1)
            }
            channel.finish()
        }
    }

    @Test func `lines gather at the pace until someone waits for one, for all writers together`() async {
        let channel = ExtentChannel(
            rowsMax: 100, bytesMax: 1 << 20, joinRows: 2, pace: BatchPace(smallInterval: .seconds(3600)))
        channel.setOpen(true)
        channel.publish(Self.extent(0..<1))
        #expect(await channel.nextBatch()?.sequences == 0..<1)
        async let first = channel.nextBatch()
        channel.publish(Self.extent(1..<4))
        channel.publish(Self.extent(4..<5))
        #expect(channel.waitingCount == 4)
        channel.publish(Self.extent(5..<6), isAwaited: true)
        #expect(await first?.sequences == 1..<6)
        async let helped = channel.nextHelperBatch()
        channel.publish(Self.extent(6..<10))
        #expect(channel.waitingCount == 4)
        channel.publish(Self.extent(10..<110))
        #expect(await helped?.sequences == 6..<10)
    }

    @Test func `it is drained once what was held back is taken and written`() async {
        let channel = ExtentChannel(rowsMax: 10, bytesMax: 1 << 20, pace: BatchPace(smallInterval: .seconds(3600)))
        channel.setOpen(true)
        #expect(channel.isDrained)
        for sequence in UInt64(0)..<2 {
            channel.publish(Self.extent(sequence..<sequence + 1))
            if sequence == 1 { channel.endPace() }
            #expect(await channel.nextBatch()?.count == 1)
            #expect(!channel.isDrained)
            channel.batchEnded()
            #expect(channel.isDrained)
        }
    }

    @Test func `a backlog is not held back`() async {
        let channel = ExtentChannel(
            rowsMax: 10, bytesMax: 1 << 20, pace: BatchPace(interval: .seconds(3600), smallInterval: .seconds(3600)))
        channel.setOpen(true)
        for sequence in UInt64(0)..<10 {
            await channel.publishBacklog(Self.extent(sequence * 2..<sequence * 2 + 1))
            #expect(await channel.nextBatch()?.count == 1)
        }
    }

    @Test func `the scanner waits for room and goes on`() async {
        let channel = ExtentChannel(rowsMax: 1, bytesMax: 1 << 20)
        channel.setOpen(true)
        await withTaskGroup { group in
            group.addTask {
                for start in UInt64(0)..<2000 { await channel.publishBacklog(Self.extent(start * 2..<start * 2 + 1)) }
                channel.finish()
            }
            var count = 0
            while await channel.nextBatch() != nil { count += 1 }
            #expect(count + channel.waitingCount == 2000)
            #expect(channel.waitingCount <= 257)
        }
    }

    @Test func `a cancelled or finished wait gets nothing`() async {
        let channel = ExtentChannel(rowsMax: 10, bytesMax: 1 << 20)
        let cancelled = await withTaskGroup(of: Batch?.self) { group in
            group.addTask { await channel.nextBatch() }
            group.cancelAll()
            return await group.next() ?? nil
        }
        #expect(cancelled == nil)
        async let waiting = channel.nextBatch()
        channel.finish()
        #expect(await waiting == nil)
        #expect(await channel.nextBatch() == nil)
    }
}
