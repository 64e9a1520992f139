package import MillraceEvent

/// A group that became durable by one `fdatasync`, and when: what the latencies are made of.
package struct SpoolGroup: Sendable {
    package var sequences: Range<UInt64>
    /// When its lines were received, each time once for neighbours.
    package var arrivals: [(receivedAt: Timestamp, count: Int)]
    /// When the spool began with it.
    package var takenAt: Timestamp
    package var durableAt: Timestamp
    /// Of its `fdatasync`.
    package var sync: Duration
}
