import MillraceEvent
import Testing

@testable import MillraceSpool

@Suite struct RetentionStateMachineTests {
    private let start = ContinuousClock.now

    private func segment(_ number: UInt64, _ sequences: Range<UInt64>, burnt: Range<UInt64>? = nil) -> Segment {
        Segment(
            number: number, firstSequence: sequences.lowerBound, endSequence: sequences.upperBound, endBytes: 64,
            fileBytes: 64, skipped: burnt ?? sequences.lowerBound..<sequences.lowerBound,
            gap: burnt == nil ? .none : .burnt)
    }

    private func after(_ seconds: Int) -> RetentionEvent { .serverSeen(at: start.advanced(by: .seconds(seconds))) }

    @Test func `a segment goes when all of it is settled and its time has passed`() {
        var machine = RetentionStateMachine(
            retain: .seconds(10), segments: [segment(1, 1..<11), segment(2, 11..<21), segment(3, 21..<21)])
        #expect(machine.due == [])
        machine.told(.settled([1..<10]))
        machine.told(after(60))
        #expect(machine.due == [])
        machine.told(.settled([10..<15]))
        machine.told(after(61))
        #expect(machine.due == [])
        machine.told(after(70))
        #expect(machine.due == [])
        machine.told(after(71))
        #expect(machine.due == [.retireSegment(1)])
        // Until it is told that the segment is gone it asks again.
        machine.told(after(72))
        #expect(machine.due == [.retireSegment(1)])
        machine.segmentRetired(1)
        #expect(machine.due == [])
    }

    @Test func `the newest segment stays until there is a newer one`() {
        var machine = RetentionStateMachine(retain: .zero, segments: [segment(1, 1..<1)])
        machine.segmentGrew(segment(1, 1..<5))
        machine.told(.settled([1..<5]))
        machine.told(after(0))
        #expect(machine.due == [])
        machine.segmentGrew(segment(2, 5..<5))
        machine.told(after(1))
        #expect(machine.due == [.retireSegment(1)])
    }

    @Test func `an empty older segment needs nothing to be settled, unless sequences were burnt in front of it`() {
        var machine = RetentionStateMachine(
            retain: .zero, segments: [segment(1, 1..<1), segment(2, 50..<50, burnt: 1..<50), segment(3, 50..<50)])
        machine.told(after(0))
        #expect(machine.due == [.retireSegment(1)])
        machine.told(.settled([1..<50]))
        machine.told(after(1))
        #expect(machine.due == [.retireSegment(1), .retireSegment(2)])
    }

    @Test func `time in which the server is away does not count, and then it begins anew`() {
        var machine = RetentionStateMachine(retain: .seconds(10), segments: [segment(1, 1..<5), segment(2, 5..<5)])
        machine.told(.settled([1..<5]))
        machine.told(after(0))
        machine.told(after(9))
        machine.told(.serverLost)
        #expect(machine.due == [])
        machine.told(after(60))
        #expect(machine.due == [])
        machine.told(after(69))
        #expect(machine.due == [])
        machine.told(after(70))
        #expect(machine.due == [.retireSegment(1)])
    }

    @Test func `what another server may lack is settled anew before its time runs`() {
        var machine = RetentionStateMachine(retain: .seconds(10), segments: [segment(1, 1..<5), segment(2, 5..<5)])
        machine.told(.settled([1..<5]))
        machine.told(after(0))
        machine.told(.serverLost)
        machine.told(.unsettled([3..<5]))
        machine.told(after(30))
        machine.told(after(60))
        #expect(machine.due == [])
        machine.told(.settled([3..<5]))
        machine.told(after(61))
        machine.told(after(71))
        #expect(machine.due == [.retireSegment(1)])
    }

    @Test func `for want of room the oldest settled segments go early, none while the server is away`() {
        var machine = RetentionStateMachine(
            retain: .seconds(1000),
            segments: [segment(1, 1..<5), segment(2, 5..<9), segment(3, 9..<12), segment(4, 12..<13)])
        machine.told(.settled([1..<5, 9..<13]))
        machine.told(after(0))
        #expect(machine.due == [])
        #expect(machine.early(toFree: 1) == [.retireSegment(1)])
        #expect(machine.early(toFree: 65) == [.retireSegment(1), .retireSegment(3)])
        machine.told(.serverLost)
        #expect(machine.early(toFree: 65) == [])
    }
}
