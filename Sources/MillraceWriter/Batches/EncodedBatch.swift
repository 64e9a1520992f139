import MillraceEvent

/// A batch read out of the spool and encoded: rows by leaf, and the lines that became dead letters on the way.
struct EncodedBatch {
    var batch: Batch
    var batchID: Int64
    /// Lines of each kind, by record.
    var eventLines = 0
    var conversationLines = 0
    /// When the lines were received, each time once for neighbours.
    var arrivals: [Arrival] = []
    /// Refused at the intake (kind `refused`), unreadable (`spool_damage`), or no longer parsed.
    var letters: [DeadLetter] = []
}
