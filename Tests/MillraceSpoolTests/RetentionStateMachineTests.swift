import MillraceEvent
import Testing

@testable import MillraceSpool

@Suite struct RetentionStateMachineTests {
    private func segment(_ number: UInt64, _ sequences: Range<UInt64>) -> Segment {
        Segment(
            number: number, firstSequence: sequences.lowerBound, endSequence: sequences.upperBound, endBytes: 64,
            fileBytes: 64, skipped: sequences.lowerBound..<sequences.lowerBound, gap: .none)
    }

    @Test func `a segment goes when all of it is settled and its time has passed`() {
        let start = ContinuousClock.now
        var machine = RetentionStateMachine(
            retain: .seconds(10), segments: [segment(1, 1..<11), segment(2, 11..<21), segment(3, 21..<21)])
        #expect(machine.timePassed(start) == [])
        machine.sequencesSettled([1..<10])
        #expect(machine.timePassed(start.advanced(by: .seconds(60))) == [])
        machine.sequencesSettled([10..<15])
        #expect(machine.timePassed(start.advanced(by: .seconds(61))) == [])
        #expect(machine.timePassed(start.advanced(by: .seconds(70))) == [])
        #expect(machine.timePassed(start.advanced(by: .seconds(71))) == [.retireSegment(1)])
        // Until it is told that the segment is gone it asks again.
        #expect(machine.timePassed(start.advanced(by: .seconds(72))) == [.retireSegment(1)])
        machine.segmentRetired(1)
        #expect(machine.timePassed(start.advanced(by: .seconds(73))) == [])
    }

    @Test func `the newest segment stays until there is a newer one`() {
        let start = ContinuousClock.now
        var machine = RetentionStateMachine(retain: .zero, segments: [segment(1, 1..<1)])
        machine.segmentGrew(1, 1..<5)
        machine.sequencesSettled([1..<5])
        #expect(machine.timePassed(start) == [])
        machine.segmentGrew(2, 5..<5)
        #expect(machine.timePassed(start) == [.retireSegment(1)])
    }

    @Test func `an empty older segment needs nothing to be settled`() {
        var machine = RetentionStateMachine(retain: .zero, segments: [segment(1, 1..<1), segment(2, 50..<50)])
        #expect(machine.timePassed(.now) == [.retireSegment(1)])
    }
}
