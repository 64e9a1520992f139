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
    /// Of `retired`, those that went before `spool.retain` had passed, for want of room.
    package let retiredEarly = Atomic<Int>(0)
    /// Submissions answered `spool_full`.
    package let refusedFull = Atomic<Int>(0)
    /// Submissions answered `spool_failed`.
    package let refusedFailed = Atomic<Int>(0)

    /// Lines that a scan found for the ledger, which lacked them; also those that can't be read back, as events.
    private let recoveredLines = RecordKind.allCases.map { _ in RecoveredLines() }

    /// Told of each group once it is durable, on the spool's thread, before anyone can read it.
    package let onGroup: @Sendable (SpoolGroup) -> Void

    package init(onGroup: @escaping @Sendable (SpoolGroup) -> Void = { _ in }) {
        self.onGroup = onGroup
    }

    private final class RecoveredLines: Sendable {
        let count = Atomic<Int>(0)
    }

    /// Lines of `kind` that were found in the spool and that the ledger lacked.
    package func recovered(_ kind: RecordKind) -> Int {
        recoveredLines[Int(kind.rawValue) - 1].count.load(ordering: .relaxed)
    }

    func countRecovered(_ kind: RecordKind, _ count: Int) {
        recoveredLines[Int(kind.rawValue) - 1].count.add(count, ordering: .relaxed)
    }

    package func appended(_ kind: RecordKind) -> Appended {
        switch kind {
        case .event: events
        case .conversation: conversations
        case .refused: refused
        }
    }
}
