import MillraceChannels
import MillraceEvent
import Synchronization
import Testing

/// What each lane sent arrives in turns, in its own order.
@Suite(.timeLimit(.minutes(10))) struct RecordLanesTests {
    /// Of `bytes` on the channel's account; `number` says which one it is.
    private static func submission(_ lane: UInt64, _ number: Int, bytes: Int) -> Submission {
        let record = Record(
            kind: .event, tenant: Int32(lane), receivedAt: Timestamp(microseconds: Int64(number)), count: 1,
            bytes: [UInt8](repeating: 10, count: bytes - RecordHeader.byteCount))
        var submission = Submission(records: [record]) { _ in }
        submission.lane = lane
        return submission
    }

    private static func numbers(_ submissions: [Submission], of lane: UInt64) -> [Int] {
        submissions.filter { $0.lane == lane }.compactMap { $0.records.first.map { Int($0.receivedAt.microseconds) } }
    }

    @Test func `one lane alone goes whole`() async {
        let channel = RecordChannel(bytesMax: 16 << 20)
        for number in 0..<100 { channel.send(Self.submission(7, number, bytes: 100 << 10)) }
        #expect(Self.numbers(await channel.next(), of: 7) == Array(0..<100))
    }

    @Test func `who sends little waits for one turn of a flood, not for the flood`() async {
        let channel = RecordChannel(bytesMax: 16 << 20)
        for number in 0..<100 { channel.send(Self.submission(1, number, bytes: 100 << 10)) }
        for number in 0..<3 { channel.send(Self.submission(2, number, bytes: 1 << 10)) }
        let first = await channel.next()
        #expect(Self.numbers(first, of: 2) == [0, 1, 2])
        var flood = Self.numbers(first, of: 1)
        #expect(flood == [0, 1])
        while flood.count < 100 {
            let turn = await channel.next()
            #expect(turn.reduce(0) { $0 + $1.byteCount } <= 512 << 10)
            flood += Self.numbers(turn, of: 1)
        }
        #expect(flood == Array(0..<100) && channel.waitingBytes == 0)
    }

    @Test func `lanes that flood get the same, whatever the size of what they send`() async {
        let channel = RecordChannel(bytesMax: 16 << 20)
        for number in 0..<100 {
            channel.send(Self.submission(1, number, bytes: 100 << 10))
            for part in 0..<10 { channel.send(Self.submission(2, number * 10 + part, bytes: 10 << 10)) }
        }
        var bytes: [UInt64: Int] = [:]
        var numbers: [Int] = []
        for _ in 0..<10 {
            let turn = await channel.next()
            for submission in turn { bytes[submission.lane, default: 0] += submission.byteCount }
            numbers += Self.numbers(turn, of: 2)
        }
        #expect(abs(bytes[1, default: 0] - bytes[2, default: 0]) <= 100 << 10, "\(bytes)")
        #expect(numbers == Array(0..<numbers.count))
    }

    @Test func `a submission larger than a turn goes, too`() async {
        let channel = RecordChannel(bytesMax: 64 << 20)
        channel.send(Self.submission(1, 0, bytes: 8 << 20))
        channel.send(Self.submission(2, 0, bytes: 8 << 20))
        var taken: [UInt64] = []
        while taken.count < 2 { taken += await channel.next().map(\.lane) }
        #expect(Set(taken) == [1, 2] && channel.waitingBytes == 0)
    }

    @Test func `a lane that fills the channel pauses, and its neighbour does not`() async {
        let channel = RecordChannel(bytesMax: 1 << 20)
        var number = 0
        while channel.send(Self.submission(1, number, bytes: 100 << 10)) == .proceed { number += 1 }
        let woken = Atomic(0)
        channel.whenWritable(lane: 1) { woken.add(1, ordering: .relaxed) }
        #expect(channel.send(Self.submission(2, 0, bytes: 1 << 10)) == .proceed)
        channel.whenWritable(lane: 2) { woken.add(10, ordering: .relaxed) }
        #expect(woken.load(ordering: .relaxed) == 10)
        while channel.waitingBytes > 0 { _ = await channel.next() }
        #expect(woken.load(ordering: .relaxed) == 11)
    }

    @Test func `all lanes together wait with twice the bound at most`() async {
        let channel = RecordChannel(bytesMax: 1 << 20)
        for lane in 1...40 as ClosedRange<UInt64> {
            while channel.send(Self.submission(lane, 0, bytes: 10 << 10)) == .proceed {}
        }
        #expect(channel.waitingBytes <= 2 << 20 + 40 * 10 << 10)
    }
}
