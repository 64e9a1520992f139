/// `partitions.payload_index`: when a month of `analytics_events` gets its GIN index on `payload`.
package enum PayloadIndexPolicy: String, Sendable, CaseIterable {
    /// When the month's table is made: `payload @>` is fast at once, and writing costs about twice.
    case live
    /// In one go after the month is over.
    case closed
    case none
}
