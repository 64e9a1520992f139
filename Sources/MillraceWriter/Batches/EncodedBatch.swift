import MillraceEvent

/// What reading a batch out of the spool has shown so far, besides its rows: counts, and the lines that became dead
/// letters on the way.
struct EncodedBatch {
    var batchID: Int64
    /// Lines of each kind, by record.
    var eventLines = 0
    var conversationLines = 0
    /// When the lines were received, each time once for neighbours.
    var arrivals: [Arrival] = []
    /// Refused at the intake (kind `refused`), unreadable (`spool_damage`), or no longer parsed.
    var letters: [DeadLetter] = []
}
