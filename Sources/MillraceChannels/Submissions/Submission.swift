package import MillraceEvent
package import MillraceEvent
package import MillraceEvent
package import MillraceEvent
package import MillraceEvent

/// Records on their way into the spool, with how their sender is to be answered.
package struct Submission: Sendable {
    /// What the sender waits for.
    package enum Acknowledgement: String, Sendable {
        /// Durable in the spool.
        case spooled
        /// Committed in PostgreSQL.
        case committed
    }

    /// How a submission ended. Called exactly once, on a thread of the stage that answers: hop before doing work.
    package enum Outcome: Sendable, Equatable {
        /// Every line is durable in the spool, under these sequences.
        case durable(Range<UInt64>)
        /// Every line is in the ledger, and this became of those that did not simply go in.
        case committed(Range<UInt64>, CommittedLines)
        /// Nothing of the submission is durable; the sender may try again.
        case failed(SpoolRefusal)
    }

    /// In order, each non-empty; the spool gives them consecutive sequences.
    package var records: [Record]
    package var acknowledgement: Acknowledgement
    /// Of a sender who waits for the commit: how many reports it wants at most; what is beyond is only counted.
    package var reportsMax: Int
    package var reply: @Sendable (Outcome) -> Void
    /// Whose it is, where several share the record channel: `Grant.lane`, or 0 for all senders without a key.
    package var lane: UInt64 = 0
    /// Called once, with the sequences, when every line is durable and the sender goes on waiting for the commit; before `reply`.
    package var onDurable: (@Sendable (Range<UInt64>) -> Void)?

    package init(
        records: [Record], acknowledgement: Acknowledgement = .spooled, reportsMax: Int = 0,
        reply: @escaping @Sendable (Outcome) -> Void
    ) {
        self.records = records
        self.acknowledgement = acknowledgement
        self.reportsMax = reportsMax
        self.reply = reply
    }

    /// Bytes that count against the record channel's bound.
    package var byteCount: Int { records.reduce(0) { $0 + $1.bytes.count + RecordHeader.byteCount } }

    /// Number of lines.
    package var count: Int { records.reduce(0) { $0 + $1.count } }
}

/// Why the spool takes nothing now. Raw value = wire code = metric tag.
package enum SpoolRefusal: String, Sendable, CaseIterable {
    /// The disk, or the spool's own limit, is full. Heals by itself.
    case spoolFull = "spool_full"
    /// A write or sync failed; this group is not durable.
    case spoolFailed = "spool_failed"
    /// The daemon is stopping.
    case draining = "draining"

    /// For a client: what happened and what to do.
    package var message: String {
        switch self {
        case .spoolFull: "the spool is full; nothing was kept, send it again after the time in Retry-After"
        case .spoolFailed: "the spool could not write to its disk; nothing was kept, send it again"
        case .draining: "the daemon is stopping; nothing was kept, send it again after the time in Retry-After"
        }
    }
}
