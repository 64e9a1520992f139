package import MillraceEvent

/// The ledger holds sequences of this spool, and the lines that the spool has under them are not in the tables: another copy
/// of the spool, run by a version without epochs, gave out the same sequences.
package struct SequenceConflict: Error, Sendable, CustomStringConvertible {
    package var spool: UniqueID
    /// Of the batch.
    package var sequences: Range<UInt64>
    /// Lines that are in no table.
    package var missing: Int
    /// The first of them.
    package var first: UInt64

    package var description: String {
        "the ledger holds sequences \(sequences.lowerBound)…\(sequences.upperBound - 1) of spool \(spool) with other lines "
            + "than this spool has: \(missing) of them are in no table, the first at \(first). Two copies of the spool gave "
            + "out the same sequences. Nothing was written over; move this spool directory away (a new one is made), and "
            + "send its lines again from there."
    }
}
