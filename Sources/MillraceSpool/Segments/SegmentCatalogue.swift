internal import MillraceChannels
internal import MillraceEvent

/// What is known of a segment file without reading its records.
struct Segment: Sendable, Equatable {
    var number: UInt64
    var firstSequence: UInt64
    /// After the last line.
    var endSequence: UInt64
    /// Up to where records are valid, in bytes; readers never go beyond.
    var endBytes: Int
    /// Bytes the file takes.
    var fileBytes: Int
    /// Left out before `firstSequence`; empty as a rule.
    var skipped: Range<UInt64>
    var gap: SegmentHeader.Gap
    /// Since when all of it has been settled, on a server that was there all the time.
    var settledAt: ContinuousClock.Instant?

    /// Given out before `firstSequence` and never acknowledged; the ledger is to hold them as skipped.
    var burnt: Range<UInt64> { gap == .burnt ? skipped : firstSequence..<firstSequence }

    var sequences: Range<UInt64> { firstSequence..<max(firstSequence, endSequence) }

    /// The first sequence that has to be settled before the segment, which alone knows of it, may go.
    fileprivate var oldestSequence: UInt64 { burnt.isEmpty ? firstSequence : burnt.lowerBound }
}

/// The one list of a spool's segments: which sequences are where, how many bytes they take, and which of them may go. A
/// value without I/O and clock; `SegmentStore` shares it between the spool's thread, which adds, grows and removes
/// segments, and the writers, who read them and say what is settled.
///
/// A segment may go when all its sequences are settled, `retain` has passed since on a server that was there all the time,
/// and it is not the newest. When room is wanted, settled ones go earlier, the oldest first.
///
/// The time counts up to when the server was last seen, and begins anew after it was away: who failed over to a standby
/// needs what the standby has not got, however long that took.
struct SegmentCatalogue: Sendable {
    private let retain: Duration
    /// Ascending by number; the last one is the newest.
    private(set) var segments: [Segment]
    /// Of all segment files.
    private(set) var fileBytes: Int
    /// Acknowledged lines of segment files that are missing between others.
    private let missing: [Range<UInt64>]
    /// Of sequences in `segments` only, so it stays small.
    private var settled = SequenceSet()
    /// When the server last answered; nil while it is away.
    private var seenAt: ContinuousClock.Instant?

    init(retain: Duration, segments: [Segment] = [], missing: [Range<UInt64>] = []) {
        self.retain = retain
        self.segments = segments
        self.missing = missing
        fileBytes = segments.reduce(0) { $0 + $1.fileBytes }
    }

    var newest: Segment? { segments.last }

    /// Of acknowledged lines that are in the spool, or ought to be.
    var retainedSequences: SequenceSet {
        var retained = SequenceSet(segments.map(\.sequences))
        for segment in segments where segment.gap == .raised { retained.insert(segment.skipped) }
        let oldest = segments.first?.firstSequence ?? .max
        for range in missing where range.lowerBound >= oldest { retained.insert(range) }
        return retained
    }

    var burntSequences: [Range<UInt64>] { segments.map(\.burnt).filter { !$0.isEmpty } }

    /// The first sequences of the runs that began before `sequence`, ascending.
    func runStarts(before sequence: UInt64) -> [UInt64] {
        segments.filter { $0.gap == .epoch && $0.firstSequence < sequence }.map(\.firstSequence)
    }
}

extension SegmentCatalogue {
    mutating func segmentOpened(_ segment: Segment) {
        precondition(segment.number > segments.last?.number ?? 0, "segments are numbered in order")
        segments.append(segment)
        fileBytes += segment.fileBytes
    }

    /// The newest segment is this one now.
    mutating func segmentGrew(_ segment: Segment) {
        let index = segments.count - 1
        precondition(index >= 0 && segments[index].number == segment.number, "only the newest segment grows")
        fileBytes += segment.fileBytes - segments[index].fileBytes
        segments[index] = segment
    }

    /// The segment's file is removed.
    mutating func segmentRetired(_ number: UInt64) {
        guard let index = segments.firstIndex(where: { $0.number == number }) else { return }
        let segment = segments.remove(at: index)
        fileBytes -= segment.fileBytes
        settled.remove(segment.sequences)
        settled.remove(segment.burnt)
        if let oldest = segments.first?.oldestSequence { settled.remove(0..<oldest) }
    }

    /// The writers' side knows something new.
    mutating func told(_ event: RetentionEvent) {
        switch event {
        case .settled(let ranges):
            let oldest = segments.first?.oldestSequence ?? 0
            for range in ranges where range.upperBound > oldest {
                settled.insert(max(range.lowerBound, oldest)..<range.upperBound)
            }
        case .unsettled(let ranges):
            for range in ranges { settled.remove(range) }
            for index in segments.indices where !isSettled(segments[index]) { segments[index].settledAt = nil }
        case .serverSeen(let instant):
            seenAt = instant
            for index in segments.indices.dropLast()
            where segments[index].settledAt == nil && isSettled(segments[index]) {
                segments[index].settledAt = instant
            }
        case .serverLost:
            seenAt = nil
            for index in segments.indices { segments[index].settledAt = nil }
        }
    }

    /// Numbers of the segments whose time has passed, ascending.
    var due: [UInt64] {
        guard let seenAt else { return [] }
        return segments.dropLast()
            .filter { $0.settledAt.map { seenAt >= $0.advanced(by: retain) } ?? false }
            .map(\.number)
    }

    /// Numbers of the oldest settled segments, of `byteCount` together, whether their time has passed or not. None while
    /// the server is away: they may be what the next server lacks.
    func early(toFree byteCount: Int) -> [UInt64] {
        guard seenAt != nil else { return [] }
        var numbers: [UInt64] = []
        var freed = 0
        for segment in segments.dropLast() where freed < byteCount && segment.settledAt != nil {
            numbers.append(segment.number)
            freed += segment.fileBytes
        }
        return numbers
    }

    func isSettled(below sequence: UInt64) -> Bool {
        retainedSequences.parts(of: 0..<sequence).allSatisfy(settled.contains)
    }

    private func isSettled(_ segment: Segment) -> Bool {
        settled.contains(segment.sequences) && settled.contains(segment.burnt)
    }
}
