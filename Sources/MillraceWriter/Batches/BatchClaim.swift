/// What the ledger says of a batch that is about to be written, asked under its writer's lock. A value without I/O and clock.
enum BatchClaim: Sendable, Equatable {
    /// Nothing of it is there: write it.
    case free
    /// It is there as this writer sent it: a COMMIT whose answer was lost.
    case committed
    /// Some or all of its sequences are there under other borders.
    case overlap

    /// `latest`: the ledger's last row that begins before the end of `sequences`, with the last sequence that it covers; nil
    /// where there is none. `unanswered`: what this writer's last COMMIT without an answer would have written.
    init(
        of sequences: Range<UInt64>, latest: (last: UInt64, batchID: Int64)?,
        unanswered: (batchID: Int64, sequences: Range<UInt64>)?
    ) {
        guard let latest, latest.last >= sequences.lowerBound else {
            self = .free
            return
        }
        let isOwn = unanswered.map { $0.batchID == latest.batchID && $0.sequences == sequences } ?? false
        self = isOwn ? .committed : .overlap
    }
}
