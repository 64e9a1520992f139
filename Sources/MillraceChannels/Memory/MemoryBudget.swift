internal import MillraceTelemetry
internal import Synchronization

/// `[memory]`: what clients may have the daemon hold.
package struct MemoryConfiguration: Sendable, Equatable {
    /// Bytes.
    package var budget = 256 << 20
    /// How long those who hold a part of a full budget are left alone.
    package var lineWait = Duration.seconds(5)

    package init() {}

    package init(budget: Int, lineWait: Duration = MemoryConfiguration().lineWait) {
        self.budget = budget
        self.lineWait = lineWait
    }
}

/// The one bound, in bytes, of all that waits in memory for clients: bodies and lines that are not whole, what is on its
/// way to the disk, pages while they are made, answers that nobody takes.
///
/// Whoever holds more than a little has a `MemoryReservation`. What can be refused asks before it grows; what is in memory
/// already is counted in any case, and its connection read no further while the budget is full. Lock-free: reached once a
/// read or a row, and not at all by connections that hold little.
package final class MemoryBudget: Sendable {
    /// What bytes are held for; raw value = metric tag.
    package enum Use: String, Sendable, CaseIterable {
        /// Lines over TCP that are not whole, or not durable.
        case lines
        case bodies
        case pages
        /// Answers that their clients have not taken.
        case answers
        /// Recordings of latencies.
        case recordings
        /// Events that wait for who follows `/v1/tail`.
        case streams
    }

    /// What a connection may hold without a reservation.
    package static let freeBytes = 16 << 10
    /// Counted bytes may exceed the budget by one part in so many before connections are closed for it.
    private static let excessPart = 4

    private let limit: Atomic<Int>
    /// In nanoseconds.
    private let wait: Atomic<Int64>
    private let used = Atomic<Int>(0)
    /// When it was last too little, in nanoseconds since `start`.
    private let shortAt = Atomic<Int64>(.min)
    private let refusedCounts = Use.allCases.map { _ in MetricCounter() }
    private let start = ContinuousClock.now

    package init(_ configuration: MemoryConfiguration = MemoryConfiguration()) {
        limit = Atomic(configuration.budget)
        wait = Atomic(Self.nanoseconds(configuration.lineWait))
    }

    /// Takes another budget; what is held beyond it is given back by those who hold it.
    package func set(_ configuration: MemoryConfiguration) {
        limit.store(configuration.budget, ordering: .relaxed)
        wait.store(Self.nanoseconds(configuration.lineWait), ordering: .relaxed)
    }

    package var bytesMax: Int { limit.load(ordering: .relaxed) }

    /// `MemoryConfiguration.lineWait`.
    package var lineWait: Duration { .nanoseconds(wait.load(ordering: .relaxed)) }

    package var usedBytes: Int { used.load(ordering: .relaxed) }

    /// Requests that were refused, and connections that were held back or closed, for want of bytes.
    package func refused(_ use: Use) -> Int { counter(use).value }

    /// Nothing is left: who holds bytes is read no further.
    package var isFull: Bool { usedBytes >= bytesMax }

    /// What can't be refused has taken more than a little too much.
    package var isOverfull: Bool { usedBytes >= bytesMax + bytesMax / Self.excessPart }

    /// Someone was refused or held back within `lineWait`.
    package var isShort: Bool {
        let last = shortAt.load(ordering: .relaxed)
        return last > .min && nanoseconds - last <= wait.load(ordering: .relaxed)
    }

    /// Someone is refused, held back or closed now.
    package func noteShortage(_ use: Use) {
        counter(use).add(1)
        shortAt.store(nanoseconds, ordering: .relaxed)
    }

    /// Adds `bytes` where they are left.
    func take(_ bytes: Int, for use: Use) -> Bool {
        if used.add(bytes, ordering: .relaxed).newValue <= bytesMax { return true }
        used.subtract(bytes, ordering: .relaxed)
        noteShortage(use)
        return false
    }

    /// Adds what is there already; negative gives back.
    func count(_ bytes: Int) {
        used.add(bytes, ordering: .relaxed)
    }

    private func counter(_ use: Use) -> MetricCounter { refusedCounts[Use.allCases.firstIndex(of: use) ?? 0] }

    private static func nanoseconds(_ duration: Duration) -> Int64 { Int64(duration / .nanoseconds(1)) }

    private var nanoseconds: Int64 { Int64((ContinuousClock.now - start) / .nanoseconds(1)) }
}
