import MillraceTelemetry
import Testing

struct DurableTimesTests {
    @Test func `a batch hears of each of its groups, whatever their borders`() {
        var times = DurableTimes()
        times.groupDurable(10..<20, receivedAt: 1, durableAt: 100)
        times.groupDurable(20..<30, receivedAt: 2, durableAt: 200)
        times.groupDurable(40..<50, receivedAt: 3, durableAt: 300)
        #expect(Self.flat(times.batchCommitted(15..<45)) == [[15, 20, 100], [20, 30, 200], [40, 45, 300]])
        #expect(Self.flat(times.batchCommitted(5..<15)) == [[10, 15, 100]])
        #expect(times.count == 1)
        #expect(Self.flat(times.batchCommitted(45..<60)) == [[45, 50, 300]])
        #expect(times.count == 0)
        #expect(times.batchCommitted(10..<50).isEmpty)
    }

    @Test func `the oldest is known by its sequence until it is committed`() {
        var times = DurableTimes()
        #expect(times.receivedAt(of: 1) == nil)
        times.groupDurable(1..<5, receivedAt: 7, durableAt: 10)
        times.groupDurable(5..<9, receivedAt: 8, durableAt: 20)
        #expect(times.receivedAt(of: 4) == 7)
        #expect(times.receivedAt(of: 5) == 8)
        #expect(times.receivedAt(of: 9) == nil)
        _ = times.batchCommitted(1..<5)
        #expect(times.receivedAt(of: 4) == nil)
        #expect(times.receivedAt(of: 5) == 8)
    }

    @Test func `a long outage takes bounded memory, and every line is still accounted for`() {
        var times = DurableTimes()
        let groups = DurableTimes.groupsMax * 5 + 3
        for number in 0..<groups {
            let first = UInt64(number) * 10
            times.groupDurable(first..<first + 10, receivedAt: Int64(number), durableAt: Int64(number) + 1)
        }
        #expect(times.count <= DurableTimes.groupsMax)
        var next: UInt64 = 0
        var last: Int64 = 0
        for batch in stride(from: UInt64(0), to: UInt64(groups) * 10, by: 777) {
            for part in times.batchCommitted(batch..<min(batch + 777, UInt64(groups) * 10)) {
                #expect(part.sequences.lowerBound == next)
                next = part.sequences.upperBound
                // Never later than the group after it, never earlier than its own.
                #expect(part.durableAt >= last)
                #expect(part.durableAt >= Int64(part.sequences.upperBound - 1) / 10 + 1)
                last = part.durableAt
            }
        }
        #expect(next == UInt64(groups) * 10)
        #expect(times.count == 0)
    }

    private static func flat(_ parts: [(sequences: Range<UInt64>, durableAt: Int64)]) -> [[Int]] {
        parts.map { [Int($0.sequences.lowerBound), Int($0.sequences.upperBound), Int($0.durableAt)] }
    }
}
