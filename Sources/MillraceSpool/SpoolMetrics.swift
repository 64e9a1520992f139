package import MillraceEvent
package import Synchronization

/// The spool's counters; the daemon exports them.
package final class SpoolMetrics: Sendable {
    /// What was made durable, of one kind.
    package final class Appended: Sendable {
        package let records = Atomic<Int>(0)
        package let lines = Atomic<Int>(0)
        /// Headers and payloads.
        package let bytes = Atomic<Int>(0)
    }

    package let events = Appended()
    package let conversations = Appended()
    package let refused = Appended()
    /// Groups made durable.
    package let groups = Atomic<Int>(0)
    /// Calls of `fdatasync` on segments, failed ones too.
    package let syncs = Atomic<Int>(0)
    /// Faults of the disk: failed writes and syncs, out of space not counted.
    package let faults = Atomic<Int>(0)
    /// Damaged places found and set aside; each counts once, over restarts too.
    package let damaged = Atomic<Int>(0)
    /// Segment files now.
    package let segments = Atomic<Int>(0)
    /// Bytes in segment files now.
    package let segmentBytes = Atomic<Int>(0)
    /// Segments retired since the start.
    package let retired = Atomic<Int>(0)
    /// Submissions answered `spool_full`.
    package let refusedFull = Atomic<Int>(0)
    /// Submissions answered `spool_failed`.
    package let refusedFailed = Atomic<Int>(0)

    /// Takes the time of each `fdatasync`, on the spool's thread.
    package let onSync: @Sendable (Duration) -> Void

    package init(onSync: @escaping @Sendable (Duration) -> Void = { _ in }) {
        self.onSync = onSync
    }

    package func appended(_ kind: RecordKind) -> Appended {
        switch kind {
        case .event: events
        case .conversation: conversations
        case .refused: refused
        }
    }
}
