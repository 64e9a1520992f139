internal import MillraceEvent

/// Decides which segments go: all their sequences settled, `retain` passed since, and not the newest.
struct RetentionStateMachine: Sendable {
    enum Action: Sendable, Equatable {
        case retireSegment(UInt64)
    }

    private struct Candidate: Sendable {
        var number: UInt64
        var sequences: Range<UInt64>
        var settledAt: ContinuousClock.Instant?
    }

    private let retain: Duration
    /// Ascending; the last one is being written on.
    private var segments: [Candidate]
    /// Of sequences in `segments` only, so it stays small.
    private var settled = SequenceSet()

    init(retain: Duration, segments: [Segment]) {
        self.retain = retain
        self.segments = segments.map { Candidate(number: $0.number, sequences: $0.sequences) }
    }

    /// The newest segment is this one now, and grows up to `sequences`.
    mutating func segmentGrew(_ number: UInt64, _ sequences: Range<UInt64>) {
        if let last = segments.last, last.number == number {
            segments[segments.count - 1].sequences = sequences
        } else {
            segments.append(Candidate(number: number, sequences: sequences))
        }
    }

    /// In the ledger, and flushed there.
    mutating func sequencesSettled(_ ranges: [Range<UInt64>]) {
        let oldest = segments.first?.sequences.lowerBound ?? 0
        for range in ranges where range.upperBound > oldest {
            settled.insert(max(range.lowerBound, oldest)..<range.upperBound)
        }
    }

    mutating func timePassed(_ now: ContinuousClock.Instant) -> [Action] {
        var actions: [Action] = []
        for index in segments.indices.dropLast() {
            if segments[index].settledAt == nil, settled.contains(segments[index].sequences) {
                segments[index].settledAt = now
            }
            if let settledAt = segments[index].settledAt, now >= settledAt.advanced(by: retain) {
                actions.append(.retireSegment(segments[index].number))
            }
        }
        return actions
    }

    mutating func segmentRetired(_ number: UInt64) {
        guard let index = segments.firstIndex(where: { $0.number == number }) else { return }
        settled.remove(segments[index].sequences)
        segments.remove(at: index)
        if let oldest = segments.first?.sequences.lowerBound { settled.remove(0..<oldest) }
    }
}
