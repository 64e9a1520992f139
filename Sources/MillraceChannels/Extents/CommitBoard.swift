internal import MillraceEvent
internal import MillraceEvent
internal import MillraceEvent
internal import MillraceEvent
internal import MillraceEvent
import Synchronization

/// Who waits for which sequences to be committed: `ack=committed`.
///
/// The spool registers a wait before it publishes the extent, so no commit can pass unseen. Bounded by what is in the
/// spool and by the connections' own limits on lines in flight.
package final class CommitBoard: Sendable {
    private struct Wait {
        var sequences: Range<UInt64>
        var open: SequenceSet
        var duplicates = 0
        var dead = 0
        var reply: @Sendable (Submission.Outcome) -> Void
    }

    /// Ascending by first sequence, since sequences are registered as they are given out.
    private let waits = Mutex<[Wait]>([])

    package init() {}

    /// Calls `reply` with `.committed` once every one of `sequences` is in the ledger. In order of sequence.
    package func wait(for sequences: Range<UInt64>, reply: @escaping @Sendable (Submission.Outcome) -> Void) {
        waits.withLock { $0.append(Wait(sequences: sequences, open: SequenceSet([sequences]), reply: reply)) }
    }

    /// True when someone waits for a line of `sequences`: such a batch commits with `synchronous_commit = on`.
    package func isAwaited(_ sequences: Range<UInt64>) -> Bool {
        waits.withLock { waits in
            waits[Self.firstIndex(in: waits, endingAfter: sequences.lowerBound)...]
                .first.map { $0.sequences.lowerBound < sequences.upperBound } ?? false
        }
    }

    /// A batch is committed: answers those who waited for it last.
    package func batchCommitted(_ outcome: BatchOutcome) {
        let answered = waits.withLock { waits -> [Wait] in
            var answered: [Wait] = []
            let start = Self.firstIndex(in: waits, endingAfter: outcome.sequences.lowerBound)
            var end = start
            var kept: [Wait] = []
            while end < waits.count, waits[end].sequences.lowerBound < outcome.sequences.upperBound {
                var wait = waits[end]
                wait.open.remove(outcome.sequences)
                wait.duplicates += Self.count(of: outcome.duplicateSequences, in: wait.sequences)
                wait.dead += Self.count(of: outcome.deadSequences, in: wait.sequences)
                if wait.open.isEmpty { answered.append(wait) } else { kept.append(wait) }
                end += 1
            }
            waits.replaceSubrange(start..<end, with: kept)
            return answered
        }
        for wait in answered { wait.reply(.committed(wait.sequences, duplicates: wait.duplicates, dead: wait.dead)) }
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

    private static func firstIndex(in waits: [Wait], endingAfter sequence: UInt64) -> Int {
        var low = 0
        var high = waits.count
        while low < high {
            let middle = (low + high) / 2
            if waits[middle].sequences.upperBound <= sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func count(of sequences: [UInt64], in range: Range<UInt64>) -> Int {
        sequences.isEmpty ? 0 : sequences.count { range.contains($0) }
    }
}
