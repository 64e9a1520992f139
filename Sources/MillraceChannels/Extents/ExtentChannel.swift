import Synchronization

/// The channel from the spool to the writers: where to read, never the bytes. It carries extents and makes batches of
/// them; which writer takes one, and when, is the scheduler's affair, which is told of what comes by `onPublish`.
///
/// Live extents come from the spool's thread and are never refused, since the spool is their bound: neighbours merge up
/// to `Extent.bytesMax`, so `spool.bytes` of backlog take about that many MiB of extents times 48 bytes. Extents of
/// a backlog (found at start, or lost by the database) come from one scanner, which waits for room.
package final class ExtentChannel: Sendable {
    /// What waits for a writer.
    package struct Waiting: Sendable, Equatable {
        /// Lines.
        package var rows: Int
        /// Whether someone waits for one of them to be committed.
        package var isAwaited: Bool
        /// Whether some of it was on disk before, or was lost by the database.
        package var hasBacklog: Bool

        package init(rows: Int, isAwaited: Bool = false, hasBacklog: Bool = false) {
            self.rows = rows
            self.isAwaited = isAwaited
            self.hasBacklog = hasBacklog
        }
    }

    private struct State {
        /// Of one batch, and so of one extent.
        var rowsMax: Int
        var bytesMax: Int
        var live = Queue()
        var backlog = Queue()
        /// Someone waits for a line below this to be committed, if such a line is still in `live`.
        var awaitedEnd: UInt64 = 0
        var scanner: CheckedContinuation<Void, Never>?
        var onPublish: @Sendable () -> Void = {}
        var isFinished = false
    }

    private struct Queue {
        var extents: [Extent] = []
        var head = 0
        var count = 0

        var isEmpty: Bool { head == extents.count }
        var first: Extent? { head < extents.count ? extents[head] : nil }
        var extentCount: Int { extents.count - head }

        mutating func append(_ extent: Extent, rowsMax: Int) {
            count += extent.count
            if head < extents.count, let last = extents.last, last.adjoins(extent),
                last.length + extent.length <= Extent.bytesMax, last.count + extent.count <= rowsMax
            {
                extents[extents.count - 1].length += extent.length
                extents[extents.count - 1].count += extent.count
            } else {
                extents.append(extent)
            }
        }

        mutating func popFirst() -> Extent {
            let extent = extents[head]
            head += 1
            count -= extent.count
            if head > 1024, head * 2 > extents.count {
                extents.removeSubrange(..<head)
                head = 0
            }
            return extent
        }

        /// Extents without a gap in their sequences, up to the bounds; a larger first one alone. The queue isn't empty.
        mutating func take(rowsMax: Int, bytesMax: Int) -> Batch {
            var extents = [popFirst()]
            var rows = extents[0].count
            var bytes = extents[0].length
            while let next = first, next.firstSequence == extents[extents.count - 1].sequences.upperBound,
                rows + next.count <= rowsMax, bytes + next.length <= bytesMax
            {
                rows += next.count
                bytes += next.length
                extents.append(popFirst())
            }
            return Batch(extents: extents)
        }
    }

    /// Extents the scanner may have waiting before it is held back.
    private static let backlogExtentsMax = 256

    private let state: Mutex<State>

    /// `rowsMax`, `bytesMax`: bounds of one batch; a single larger extent makes a batch of its own.
    package init(rowsMax: Int, bytesMax: Int) {
        state = Mutex(State(rowsMax: rowsMax, bytesMax: bytesMax))
    }

    /// Bounds of batches from now on; extents that are larger already are batches of their own.
    package func setBounds(rowsMax: Int, bytesMax: Int) {
        state.withLock { state in
            state.rowsMax = rowsMax
            state.bytesMax = bytesMax
        }
    }

    /// What waits for a writer now.
    package var waiting: Waiting {
        state.withLock { state in
            Waiting(
                rows: state.live.count + state.backlog.count,
                isAwaited: state.live.first.map { $0.firstSequence < state.awaitedEnd } ?? false,
                hasBacklog: !state.backlog.isEmpty)
        }
    }

    /// Lines that wait for a writer now.
    package var waitingCount: Int { state.withLock { $0.live.count + $0.backlog.count } }

    /// Has `handler` called after each extent that comes, on the thread that publishes it.
    package func onPublish(_ handler: @escaping @Sendable () -> Void) {
        state.withLock { $0.onPublish = handler }
    }

    /// A live extent, durable just now. Called in order of sequence, by the spool only. Never blocks. `isAwaited`: someone
    /// waits for one of its lines to be committed, so that it is not held back.
    package func publish(_ extent: Extent, isAwaited: Bool = false) {
        let onPublish = state.withLock { state in
            state.live.append(extent, rowsMax: state.rowsMax)
            if isAwaited { state.awaitedEnd = extent.sequences.upperBound }
            return state.onPublish
        }
        onPublish()
    }

    /// An extent of the backlog; waits while the writers are far behind. One scanner at a time.
    package func publishBacklog(_ extent: Extent) async {
        let onPublish = state.withLock { state in
            state.backlog.append(extent, rowsMax: state.rowsMax)
            return state.onPublish
        }
        onPublish()
        await withCheckedContinuation { continuation in
            let isRoom = state.withLock { state in
                if state.isFinished || state.backlog.extentCount < Self.backlogExtentsMax { return true }
                state.scanner = continuation
                return false
            }
            if isRoom { continuation.resume() }
        }
    }

    /// Takes the oldest of what waits, without a gap, `rowsMax` lines at most; nil when nothing waits.
    package func take(rowsMax: Int) -> Batch? {
        let (batch, scanner) = state.withLock { state -> (Batch?, CheckedContinuation<Void, Never>?) in
            var batch: Batch?
            let live = state.live.first?.firstSequence
            if let backlog = state.backlog.first?.firstSequence, backlog < live ?? .max {
                batch = state.backlog.take(rowsMax: rowsMax, bytesMax: state.bytesMax)
            } else if live != nil {
                batch = state.live.take(rowsMax: rowsMax, bytesMax: state.bytesMax)
            }
            guard state.backlog.extentCount < Self.backlogExtentsMax / 2 else { return (batch, nil) }
            defer { state.scanner = nil }
            return (batch, state.scanner)
        }
        scanner?.resume()
        return batch
    }

    /// The writers end: a scanner that waits for room is let go, and none waits any more. What is left stays in the spool.
    package func finish() {
        let scanner = state.withLock { state in
            state.isFinished = true
            defer { state.scanner = nil }
            return state.scanner
        }
        scanner?.resume()
    }
}
