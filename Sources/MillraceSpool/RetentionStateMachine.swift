internal import MillraceEvent

/// Decides which segments go: all their sequences settled, `retain` passed since on a server that was there all the time,
/// and not the newest. When room is wanted settled ones go earlier, the oldest first.
///
/// The time counts up to when the server was last seen, and begins anew after it was away: who failed over to a standby
/// needs what the standby has not got, however long that took.
struct RetentionStateMachine: Sendable {
    enum Action: Sendable, Equatable {
        case retireSegment(UInt64)
    }

    private struct Candidate: Sendable {
        var number: UInt64
        var sequences: Range<UInt64>
        /// In front of it: in the ledger too before the segment, which alone knows of them, may go.
        var burnt: Range<UInt64>
        var fileBytes: Int
        var settledAt: ContinuousClock.Instant?

        init(_ segment: Segment) {
            number = segment.number
            sequences = segment.sequences
            burnt = segment.burnt
            fileBytes = segment.fileBytes
        }

        var firstSequence: UInt64 { burnt.isEmpty ? sequences.lowerBound : burnt.lowerBound }
    }

    private let retain: Duration
    /// Ascending; the last one is being written on.
    private var segments: [Candidate]
    /// Of sequences in `segments` only, so it stays small.
    private var settled = SequenceSet()
    /// When the server last answered; nil while it is away.
    private var seenAt: ContinuousClock.Instant?

    init(retain: Duration, segments: [Segment]) {
        self.retain = retain
        self.segments = segments.map(Candidate.init)
    }

    /// The newest segment is this one now.
    mutating func segmentGrew(_ segment: Segment) {
        if let last = segments.last, last.number == segment.number { segments.removeLast() }
        segments.append(Candidate(segment))
    }

    mutating func told(_ event: RetentionEvent) {
        switch event {
        case .settled(let ranges):
            let oldest = segments.first?.firstSequence ?? 0
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

    /// Segments whose time has passed.
    var due: [Action] {
        guard let seenAt else { return [] }
        return segments.dropLast()
            .filter { $0.settledAt.map { seenAt >= $0.advanced(by: retain) } ?? false }
            .map { .retireSegment($0.number) }
    }

    /// The oldest settled segments whose time has not passed, of `byteCount` together. None while the server is away: they
    /// may be what the next server lacks.
    func early(toFree byteCount: Int) -> [Action] {
        guard seenAt != nil else { return [] }
        var actions: [Action] = []
        var freed = 0
        for segment in segments.dropLast() where freed < byteCount && segment.settledAt != nil {
            actions.append(.retireSegment(segment.number))
            freed += segment.fileBytes
        }
        return actions
    }

    mutating func segmentRetired(_ number: UInt64) {
        guard let index = segments.firstIndex(where: { $0.number == number }) else { return }
        settled.remove(segments[index].sequences)
        settled.remove(segments[index].burnt)
        segments.remove(at: index)
        if let oldest = segments.first?.firstSequence { settled.remove(0..<oldest) }
    }

    private func isSettled(_ segment: Candidate) -> Bool {
        settled.contains(segment.sequences) && settled.contains(segment.burnt)
    }
}
