internal import Synchronization

/// What each writer does now, for an operator. Told twice a batch; any thread.
package final class WriterActivities: Sendable {
    package struct Activity: Sendable, Equatable {
        /// Lines of the batch that it has taken; 0: it has none.
        package var lines: Int
        /// Since when.
        package var since: ContinuousClock.Instant
    }

    private let activities = Mutex<[Activity]>([])

    package init() {}

    /// In the order of the writers.
    package var all: [Activity] { activities.withLock { $0 } }

    /// So many writers there are, idle as yet.
    func set(writers count: Int) {
        activities.withLock { $0 = Array(repeating: Activity(lines: 0, since: .now), count: count) }
    }

    func writerTook(_ lines: Int, writer index: Int) { set(lines, index) }

    func writerIsIdle(_ index: Int) { set(0, index) }

    private func set(_ lines: Int, _ index: Int) {
        let now = ContinuousClock.now
        activities.withLock { activities in
            if activities.indices.contains(index) { activities[index] = Activity(lines: lines, since: now) }
        }
    }
}
