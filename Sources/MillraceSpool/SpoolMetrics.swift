package import MillraceEvent
package import MillraceTelemetry

/// The spool's counters; the daemon exports them.
package final class SpoolMetrics: Sendable {
    /// What was made durable, of one kind.
    package final class Appended: Sendable {
        package let records = MetricCounter()
        package let lines = MetricCounter()
        /// Headers and payloads.
        package let bytes = MetricCounter()
    }

    package let events = Appended()
    package let conversations = Appended()
    package let refused = Appended()
    /// Groups made durable.
    package let groups = MetricCounter()
    /// Calls of `fdatasync` on segments, failed ones too.
    package let syncs = MetricCounter()
    /// Faults of the disk: failed writes and syncs, out of space not counted.
    package let faults = MetricCounter()
    /// Damaged places found and set aside; each counts once, over restarts too.
    package let damaged = MetricCounter()
    /// Segment files now.
    package let segments = MetricCounter()
    /// Bytes in segment files now.
    package let segmentBytes = MetricCounter()
    /// Segments retired since the start.
    package let retired = MetricCounter()
    /// Of `retired`, those that went before `spool.retain` had passed, for want of room.
    package let retiredEarly = MetricCounter()
    /// Submissions answered `spool_full`.
    package let refusedFull = MetricCounter()
    /// Submissions answered `spool_failed`.
    package let refusedFailed = MetricCounter()

    /// Lines that a scan found for the ledger, which lacked them; also those that can't be read back, as events.
    private let recoveredLines = RecordKind.allCases.map { _ in MetricCounter() }

    /// Told of each group once it is durable, on the spool's thread, before anyone can read it.
    package let onGroup: @Sendable (SpoolGroup) -> Void

    package init(onGroup: @escaping @Sendable (SpoolGroup) -> Void = { _ in }) {
        self.onGroup = onGroup
    }

    /// Lines of `kind` that were found in the spool and that the ledger lacked.
    package func recovered(_ kind: RecordKind) -> MetricCounter { recoveredLines[Int(kind.rawValue) - 1] }

    /// The counters of one kind of records.
    package func appended(_ kind: RecordKind) -> Appended {
        switch kind {
        case .event: events
        case .conversation: conversations
        case .refused: refused
        }
    }
}

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
