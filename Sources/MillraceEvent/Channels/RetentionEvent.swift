/// What the writers' side tells the spool for its retention.
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
