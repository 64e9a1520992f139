import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceSpool

@Suite struct SegmentCatalogueTests {
    private let start = ContinuousClock.now

    private func segment(_ number: UInt64, _ sequences: Range<UInt64>, burnt: Range<UInt64>? = nil) -> Segment {
        Segment(
            number: number, firstSequence: sequences.lowerBound, endSequence: sequences.upperBound, endBytes: 64,
            fileBytes: 64, skipped: burnt ?? sequences.lowerBound..<sequences.lowerBound,
            gap: burnt == nil ? .none : .burnt)
    }

    private func after(_ seconds: Int) -> RetentionEvent { .serverSeen(at: start.advanced(by: .seconds(seconds))) }

    @Test func `a segment goes when all of it is settled and its time has passed`() {
        var catalogue = SegmentCatalogue(
            retain: .seconds(10), segments: [segment(1, 1..<11), segment(2, 11..<21), segment(3, 21..<21)])
        #expect(catalogue.due == [])
        catalogue.told(.settled([1..<10]))
        catalogue.told(after(60))
        #expect(catalogue.due == [])
        catalogue.told(.settled([10..<15]))
        catalogue.told(after(61))
        #expect(catalogue.due == [])
        catalogue.told(after(70))
        #expect(catalogue.due == [])
        catalogue.told(after(71))
        #expect(catalogue.due == [1])
        // Until it is told that the segment is gone it asks again.
        catalogue.told(after(72))
        #expect(catalogue.due == [1])
        catalogue.segmentRetired(1)
        #expect(catalogue.due == [])
    }

    @Test func `the newest segment stays until there is a newer one`() {
        var catalogue = SegmentCatalogue(retain: .zero, segments: [segment(1, 1..<1)])
        catalogue.segmentGrew(segment(1, 1..<5))
        catalogue.told(.settled([1..<5]))
        catalogue.told(after(0))
        #expect(catalogue.due == [])
        catalogue.segmentOpened(segment(2, 5..<5))
        catalogue.told(after(1))
        #expect(catalogue.due == [1])
    }

    @Test func `an empty older segment needs nothing to be settled, unless sequences were burnt before it`() {
        var catalogue = SegmentCatalogue(
            retain: .zero, segments: [segment(1, 1..<1), segment(2, 50..<50, burnt: 1..<50), segment(3, 50..<50)])
        catalogue.told(after(0))
        #expect(catalogue.due == [1])
        catalogue.told(.settled([1..<50]))
        catalogue.told(after(1))
        #expect(catalogue.due == [1, 2])
    }

    @Test func `time in which the server is away does not count, and then it begins anew`() {
        var catalogue = SegmentCatalogue(retain: .seconds(10), segments: [segment(1, 1..<5), segment(2, 5..<5)])
        catalogue.told(.settled([1..<5]))
        catalogue.told(after(0))
        catalogue.told(after(9))
        catalogue.told(.serverLost)
        #expect(catalogue.due == [])
        catalogue.told(after(60))
        #expect(catalogue.due == [])
        catalogue.told(after(69))
        #expect(catalogue.due == [])
        catalogue.told(after(70))
        #expect(catalogue.due == [1])
    }

    @Test func `what another server may lack is settled anew before its time runs`() {
        var catalogue = SegmentCatalogue(retain: .seconds(10), segments: [segment(1, 1..<5), segment(2, 5..<5)])
        catalogue.told(.settled([1..<5]))
        catalogue.told(after(0))
        catalogue.told(.serverLost)
        catalogue.told(.unsettled([3..<5]))
        catalogue.told(after(30))
        catalogue.told(after(60))
        #expect(catalogue.due == [])
        catalogue.told(.settled([3..<5]))
        catalogue.told(after(61))
        catalogue.told(after(71))
        #expect(catalogue.due == [1])
    }

    @Test func `for want of room the oldest settled segments go early, none while the server is away`() {
        var catalogue = SegmentCatalogue(
            retain: .seconds(1000),
            segments: [segment(1, 1..<5), segment(2, 5..<9), segment(3, 9..<12), segment(4, 12..<13)])
        catalogue.told(.settled([1..<5, 9..<13]))
        catalogue.told(after(0))
        #expect(catalogue.due == [])
        #expect(catalogue.early(toFree: 1) == [1])
        #expect(catalogue.early(toFree: 65) == [1, 3])
        catalogue.told(.serverLost)
        #expect(catalogue.early(toFree: 65) == [])
    }

    @Test func `bytes and sequences are those of the segments that are there now`() {
        var catalogue = SegmentCatalogue(retain: .zero)
        #expect(catalogue.newest == nil && catalogue.fileBytes == 0 && catalogue.retainedSequences.isEmpty)
        catalogue.segmentOpened(segment(1, 1..<1))
        var grown = segment(1, 1..<5)
        grown.fileBytes = 164
        catalogue.segmentGrew(grown)
        #expect(catalogue.newest == grown && catalogue.fileBytes == 164)
        catalogue.segmentOpened(segment(2, 8..<8, burnt: 5..<8))
        catalogue.segmentGrew(segment(2, 8..<10, burnt: 5..<8))
        #expect(catalogue.fileBytes == 228)
        #expect(catalogue.retainedSequences.ranges == [1..<5, 8..<10])
        #expect(catalogue.burntSequences == [5..<8])
        catalogue.segmentRetired(1)
        #expect(catalogue.segments.map(\.number) == [2])
        #expect(catalogue.fileBytes == 64)
        #expect(catalogue.retainedSequences.ranges == [8..<10])
    }

    @Test func `lines of missing files are retained as long as an older segment is there, raised ones always`() {
        var raised = segment(3, 40..<50)
        raised.skipped = 30..<40
        raised.gap = .raised
        var catalogue = SegmentCatalogue(
            retain: .zero, segments: [segment(1, 1..<11), raised, segment(4, 50..<50)], missing: [15..<20])
        #expect(catalogue.retainedSequences.ranges == [1..<11, 15..<20, 30..<50])
        catalogue.segmentRetired(1)
        #expect(catalogue.retainedSequences.ranges == [30..<50])
    }

    @Test func `the segments that begin a run say where runs began, but for this one`() {
        func run(_ number: UInt64, from first: UInt64) -> Segment {
            var segment = segment(number, first..<first + 5)
            segment.gap = .epoch
            return segment
        }
        let catalogue = SegmentCatalogue(
            retain: .zero, segments: [run(1, from: 100), segment(2, 105..<110), run(3, from: 900)])
        #expect(catalogue.runStarts(before: 900) == [100])
        #expect(catalogue.runStarts(before: 2000) == [100, 900])
    }
}
