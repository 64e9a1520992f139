internal import Algorithms
internal import MillraceChannels

/// A batch right after its COMMIT: where its lines are, and which of them are no new rows.
struct CommittedBatch: Sendable {
    var batch: Batch
    var batchID: Int64
    /// Sequences of the duplicates, ascending.
    var duplicates: [UInt64]
    /// Sequences of the dead lines, ascending.
    var dead: [UInt64]
    /// Events of each tenant; nil where saves are among the lines, so that only reading them tells.
    var events: [Int32: Int]?
    /// New rows of each tenant, saves too.
    var rows: [Int32: Int]

    init(_ batch: Batch, _ committed: BatchWriter.Committed) {
        self.batch = batch
        batchID = committed.batchID
        let outcome = committed.outcome
        duplicates = outcome.duplicateSequences
        dead = outcome.deadSequences
        rows = Dictionary(outcome.tenants.map { ($0.tenant, $0.committed) }) { $0 + $1 }
        events = outcome.conversations.committed == 0 ? rows : nil
    }

    /// Whether the line is a row that this batch put in.
    func isNew(_ sequence: UInt64) -> Bool {
        !Self.contains(duplicates, sequence) && !Self.contains(dead, sequence)
    }

    private static func contains(_ sequences: [UInt64], _ sequence: UInt64) -> Bool {
        guard !sequences.isEmpty else { return false }
        let index = sequences.partitioningIndex { $0 >= sequence }
        return index < sequences.count && sequences[index] == sequence
    }
}
