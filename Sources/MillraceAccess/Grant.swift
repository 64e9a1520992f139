internal import Synchronization

/// A key in force, shared by all connections that use it: what it allows, and what it has used.
package final class Grant: Sendable {
    package let record: KeyRecord
    /// Nil: all types.
    package let eventTypes: EventTypeFilter?
    package let events: RateLimiter?
    package let bytes: RateLimiter?
    private let ended = Atomic<Bool>(false)

    /// `now`: nanoseconds of a clock that never goes back.
    init(_ record: KeyRecord, now: UInt64) {
        self.record = record
        eventTypes = EventTypeFilter(record.eventTypes)
        events = RateLimiter(record.events, now: now)
        bytes = RateLimiter(record.bytes, now: now)
    }

    package var tenant: Int32 { record.tenant }

    /// Revoked, expired or changed: whoever holds it asks `KeyRing.renewed`. Cheap enough to be asked for each read.
    package var isEnded: Bool { ended.load(ordering: .relaxed) }

    func end() { ended.store(true, ordering: .relaxed) }

    /// How long nothing may be let in for its rates; zero where something may.
    package func wait(now: UInt64) -> Duration {
        max(events?.wait(now: now) ?? .zero, bytes?.wait(now: now) ?? .zero)
    }

    /// Counts what was let in against its rates.
    package func take(events count: Int, bytes byteCount: Int, now: UInt64) {
        events?.take(count, now: now)
        bytes?.take(byteCount, now: now)
    }
}
