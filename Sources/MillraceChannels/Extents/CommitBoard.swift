internal import Algorithms
internal import MillraceEvent
internal import MillraceEvent
internal import MillraceEvent
internal import MillraceEvent
internal import MillraceEvent
import Synchronization

/// Who waits for which sequences to be committed: `ack=committed`.
///
/// The spool registers a wait before it publishes the extent, so no commit can pass unseen. Bounded by what is in the
/// spool, by the connections' own limits on lines in flight, and by what each submission wants reported.
package final class CommitBoard: Sendable {
    /// Sequences that someone waits for.
    package struct Awaited: Sendable, Equatable {
        package var sequences: Range<UInt64>
        /// Of these lines, how many are to be reported at most.
        package var reportsMax: Int

        package init(sequences: Range<UInt64>, reportsMax: Int) {
            self.sequences = sequences
            self.reportsMax = reportsMax
        }
    }

    private struct Wait {
        var awaited: Awaited
        var open: SequenceSet
        var lines = CommittedLines()
        /// Some lines are committed, and what became of them is not known.
        var isUnknown = false
        var reply: @Sendable (Submission.Outcome) -> Void

        var sequences: Range<UInt64> { awaited.sequences }

        var outcome: Submission.Outcome {
            if isUnknown { return .durable(sequences) }
            var lines = lines
            lines.reports.sort { $0.sequence < $1.sequence }
            return .committed(sequences, lines)
        }
    }

    /// Ascending by first sequence, since sequences are registered as they are given out.
    private let waits = Mutex<[Wait]>([])

    package init() {}

    /// Calls `reply` with `.committed` once every one of `sequences` is in the ledger. In order of sequence.
    /// `reportsMax`: of the submission.
    package func wait(
        for sequences: Range<UInt64>, reportsMax: Int = 0, reply: @escaping @Sendable (Submission.Outcome) -> Void
    ) {
        let awaited = Awaited(sequences: sequences, reportsMax: reportsMax)
        waits.withLock { $0.append(Wait(awaited: awaited, open: SequenceSet([sequences]), reply: reply)) }
    }

    /// Those of `sequences` that someone waits for, ascending: a batch with such a line commits with
    /// `synchronous_commit = on`, and reports on it.
    package func awaited(in sequences: Range<UInt64>) -> [Awaited] {
        waits.withLock { waits in
            waits[Self.firstIndex(in: waits, endingAfter: sequences.lowerBound)...]
                .prefix { $0.sequences.lowerBound < sequences.upperBound }
                .map(\.awaited)
        }
    }

    /// A batch is committed: answers those who waited for it last.
    package func batchCommitted(_ outcome: BatchOutcome) {
        update(outcome.sequences) { wait in
            wait.open.remove(outcome.sequences)
            wait.lines.duplicates += Self.indices(of: outcome.duplicateSequences, in: wait.sequences).count
            wait.lines.dead += Self.indices(of: outcome.deadSequences, in: wait.sequences).count
            wait.lines.parked += Self.indices(of: outcome.parkedSequences, in: wait.sequences).count
            let reports = outcome.reports[Self.indices(of: outcome.reports, in: wait.sequences, by: \.sequence)]
            wait.lines.reports += reports.prefix(wait.awaited.reportsMax - wait.lines.reports.count)
        }
    }

    /// Parts of a batch were committed before, and it is not known what became of each line: who waits for one is told
    /// that its lines are durable, once all are committed.
    package func foundCommitted(_ ranges: [Range<UInt64>]) {
        for range in ranges {
            update(range) { wait in
                wait.open.remove(range)
                wait.isUnknown = true
            }
        }
    }

    /// Answers everyone who still waits: the lines are durable, but the daemon stops before they are committed.
    package func finish() {
        let left = waits.withLock { waits in
            let left = waits
            waits = []
            return left
        }
        for wait in left { wait.reply(.durable(wait.sequences)) }
    }

    /// Changes each wait for one of `sequences`, and answers those that are over.
    private func update(_ sequences: Range<UInt64>, _ change: (inout Wait) -> Void) {
        let answered = waits.withLock { waits -> [Wait] in
            var answered: [Wait] = []
            let start = Self.firstIndex(in: waits, endingAfter: sequences.lowerBound)
            var end = start
            var kept: [Wait] = []
            while end < waits.count, waits[end].sequences.lowerBound < sequences.upperBound {
                var wait = waits[end]
                change(&wait)
                if wait.open.isEmpty { answered.append(wait) } else { kept.append(wait) }
                end += 1
            }
            waits.replaceSubrange(start..<end, with: kept)
            return answered
        }
        for wait in answered { wait.reply(wait.outcome) }
    }

    private static func firstIndex(in waits: [Wait], endingAfter sequence: UInt64) -> Int {
        waits.partitioningIndex { $0.sequences.upperBound > sequence }
    }

    /// Where those within `range` are; `sequences` ascend.
    private static func indices(of sequences: [UInt64], in range: Range<UInt64>) -> Range<Int> {
        indices(of: sequences, in: range, by: \.self)
    }

    private static func indices<Line>(
        of lines: [Line], in range: Range<UInt64>, by sequence: KeyPath<Line, UInt64>
    ) -> Range<Int> {
        let start = lines.partitioningIndex { $0[keyPath: sequence] >= range.lowerBound }
        return start..<lines[start...].partitioningIndex { $0[keyPath: sequence] >= range.upperBound }
    }
}
