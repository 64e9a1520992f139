package import MillraceEvent
package import MillraceEvent
package import MillraceEvent
package import MillraceEvent

/// What the writers may ask of the spool, its identity and the bytes of extents, and what they tell it. Safe to call from
/// many threads.
package protocol SpoolReader: Sendable {
    /// Written into every segment when the spool was made; names it in the ledger.
    var spoolID: UniqueID { get }

    /// Sequences of acknowledged lines that are in the spool, or ought to be: those of a file that is missing between
    /// others too. What lies between two runs of a daemon is not among them, since no line has it.
    var retainedSequences: SequenceSet { get }

    /// Sequences that a run gave out but never acknowledged, and so are on no disk; before retained segments. Few, or
    /// none.
    var burntSequences: [Range<UInt64>] { get }

    /// First sequences of the runs that are known here, ascending; the last one is that of this run, which need not have
    /// given out any.
    var runStarts: [UInt64] { get }

    /// Bytes of all segment files.
    var fileBytes: Int { get }

    /// Reads one extent and passes its records on in order, blocking on the disk. Every sequence of the extent comes
    /// exactly once: in a record or as damaged. Rethrows what `body` throws.
    func read(_ extent: Extent, _ body: (SpoolItem) throws -> Void) throws

    /// Finds the records of `ranges` (ascending, on record borders where the disk is intact), publishes them as
    /// extents to the backlog of `channel`, at the pace of its readers, and returns what is not there to be read.
    /// Stops early when the task is cancelled.
    func scan(_ ranges: [Range<UInt64>], into channel: ExtentChannel) async -> [LostSequences]

    /// Says what is known of the ledger and its server: by this the spool knows which sequences it need not keep.
    func tell(_ event: RetentionEvent)
}

/// What the writers tell the spool about what it has to keep.
package enum RetentionEvent: Sendable, Equatable {
    /// These are in the ledger, flushed there, and replayed by the standbys that count.
    case settled([Range<UInt64>])
    /// These were settled on a server that is gone, or have vanished from the ledger.
    case unsettled([Range<UInt64>])
    /// The server answered, and told how far its log is flushed.
    case serverSeen(at: ContinuousClock.Instant)
    /// The server does not answer.
    case serverLost
}

/// One record of an extent, as found on disk.
package enum SpoolItem {
    /// Verified against both checksums. The payload is valid during the call only, and has 64 readable bytes after it.
    case record(RecordHeader, payload: UnsafeRawBufferPointer)
    /// Fails its checksum; its bytes are set aside and reported.
    case damaged(LostSequences)
}

/// Sequences that were acknowledged but can't be read back.
package struct LostSequences: Sendable, Equatable {
    package var sequences: Range<UInt64>
    /// For the operator: which file, which offset, what was found, and where the bytes are kept.
    package var reason: String

    package init(sequences: Range<UInt64>, reason: String) {
        self.sequences = sequences
        self.reason = reason
    }
}
