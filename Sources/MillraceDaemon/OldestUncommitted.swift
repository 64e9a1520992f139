import MillraceEvent
import MillraceSpool
import MillraceWriter
import Synchronization

/// Finds when the oldest line was received that is not known to be in the database.
final class OldestUncommitted: Sendable {
    private let writer: WriterMetrics
    private let latencies: StageLatencies
    private let store: SegmentStore
    private let found = Mutex<(sequence: UInt64, receivedAt: Timestamp)?>(nil)

    init(writer: WriterMetrics, latencies: StageLatencies, store: SegmentStore) {
        self.writer = writer
        self.latencies = latencies
        self.store = store
    }

    /// nil: there is none, or it can't be read. Reads the disk where this run did not see the line, once a line.
    var receivedAt: Timestamp? {
        guard let first = writer.uncommitted().first else { return nil }
        return latencies.receivedAt(of: first)
            ?? found.withLock { found in
                if let found, found.sequence == first { return found.receivedAt }
                found = store.receivedAt(of: first).map { (first, $0) }
                return found?.receivedAt
            }
    }
}

/// The addresses that the intakes are bound to.
final class BoundAddresses: Sendable {
    private let addresses = Mutex<[String]>([])

    func add(_ more: [String]) {
        addresses.withLock { $0 += more }
    }

    /// `tcp 127.0.0.1:7171`, in order.
    var all: [String] { addresses.withLock { $0.sorted() } }
}
