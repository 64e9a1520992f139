import MillraceChannels
import MillraceEvent
import MillraceTestSupport
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10))) struct ExtentChannelTests {
    private static func extent(_ sequences: Range<UInt64>, segment: UInt64 = 1, bytesPerLine: Int = 100) -> Extent {
        Extent(
            segment: segment, offset: Int(sequences.lowerBound) * bytesPerLine, length: sequences.count * bytesPerLine,
            firstSequence: sequences.lowerBound, count: sequences.count)
    }

    @Test func `neighbours merge into one extent`() {
        let channel = ExtentChannel(rowsMax: 1000, bytesMax: 1 << 20)
        for start in stride(from: UInt64(0), to: 100, by: 10) { channel.publish(Self.extent(start..<start + 10)) }
        #expect(channel.waitingCount == 100)
        #expect(channel.take(rowsMax: 1000) == Batch(extents: [Self.extent(0..<100)]))
        #expect(channel.waitingCount == 0)
    }

    @Test func `a batch has no gap and keeps its bounds`() {
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
        var taken = SequenceSet()
        while let batch = channel.take(rowsMax: 50) {
            #expect(!taken.contains(batch.sequences) && batch.count == batch.sequences.count, "seed \(seed)")
            let bytes = batch.extents.reduce(0) { $0 + $1.length }
            #expect(batch.extents.count == 1 || (batch.count <= 50 && bytes <= 4000), "seed \(seed)")
            taken.insert(batch.sequences)
        }
        #expect(taken == published, "seed \(seed)")
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
        #expect(channel.take(rowsMax: 10)?.sequences == 0..<10)
        #expect(channel.take(rowsMax: 10)?.sequences == 50..<60)
        #expect(channel.take(rowsMax: 10)?.sequences == 70..<80)
    }

    @Test func `a batch has no more lines than its taker wants, but for a single larger extent`() {
        let channel = ExtentChannel(rowsMax: 100, bytesMax: 1 << 20)
        for start in stride(from: UInt64(0), to: 40, by: 10) {
            channel.publish(Self.extent(start..<start + 10, segment: start))
        }
        #expect(channel.take(rowsMax: 25)?.sequences == 0..<20)
        #expect(channel.take(rowsMax: 5)?.sequences == 20..<30)
        #expect(channel.waiting == .init(rows: 10))
    }

    @Test func `it says what waits, and calls for each extent that comes`() async {
        let channel = ExtentChannel(rowsMax: 10, bytesMax: 1 << 20)
        let seen = Mutex<[ExtentChannel.Waiting]>([])
        channel.onPublish { seen.withLock { $0.append(channel.waiting) } }
        channel.publish(Self.extent(50..<52))
        channel.publish(Self.extent(52..<53), isAwaited: true)
        await channel.publishBacklog(Self.extent(0..<10))
        #expect(
            seen.withLock { $0 } == [
                .init(rows: 2), .init(rows: 3, isAwaited: true), .init(rows: 13, isAwaited: true, hasBacklog: true),
            ])
        #expect(channel.take(rowsMax: 10)?.sequences == 0..<10)
        #expect(channel.take(rowsMax: 10)?.sequences == 50..<53)
        channel.publish(Self.extent(53..<54))
        #expect(channel.waiting == .init(rows: 1))
    }

    @Test func `the scanner waits for room and goes on, and is let go at the end`() async {
        let channel = ExtentChannel(rowsMax: 1, bytesMax: 1 << 20)
        await withTaskGroup { group in
            group.addTask {
                for start in UInt64(0)..<2000 { await channel.publishBacklog(Self.extent(start * 2..<start * 2 + 1)) }
            }
            var count = 0
            while count < 1000 {
                #expect(channel.waitingCount <= 256)
                if channel.take(rowsMax: 1) != nil { count += 1 } else { await Task.yield() }
            }
            channel.finish()
        }
        #expect(channel.waitingCount == 1000)
    }
}
