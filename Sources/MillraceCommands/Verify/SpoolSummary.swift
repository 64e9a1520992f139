/// One spool as the ledger knows it.
struct SpoolSummary: Encodable, Equatable {
    var spoolId: String
    var batches: Int
    var firstSequence: UInt64
    /// The last one in the ledger.
    var lastSequence: UInt64
    /// Sequences between these two that are not in the ledger: in that host's spool, in flight, or lost.
    var holes: Int
    /// Whether its directory was there to be audited.
    var isLocal: Bool
}
