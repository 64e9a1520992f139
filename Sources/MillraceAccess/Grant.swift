internal import Synchronization

/// A key in force, shared by all connections that use it: what it allows, and what it has used.
package final class Grant: Sendable {
    package let record: KeyRecord
    /// Nil: all types.
    package let eventTypes: EventTypeFilter?
    /// Of pages that may send with it.
    package let origins: OriginList
    package let events: RateLimiter?
    package let bytes: RateLimiter?
    /// What the key's holders have open.
    package let use: KeyUse
    private let ended = Atomic<Bool>(false)
    private let holders = Mutex<[ObjectIdentifier: @Sendable () -> Void]>([:])

    /// `use`: of the grant that this one takes the place of. `now`: nanoseconds of a clock that never goes back.
    init(_ record: KeyRecord, use: KeyUse = KeyUse(), now: UInt64) {
        self.record = record
        self.use = use
        eventTypes = EventTypeFilter(record.eventTypes)
        origins = OriginList(record.origins)
        events = RateLimiter(record.events, now: now)
        bytes = RateLimiter(record.bytes, now: now)
    }

    package var tenant: Int32 { record.tenant }

    /// Revoked, expired or changed: whoever holds it asks `KeyRing.renewed`. Cheap enough to be asked for each read.
    package var isEnded: Bool { ended.load(ordering: .relaxed) }

    func end() {
        ended.store(true, ordering: .relaxed)
        let holders = holders.withLock { holders in
            defer { holders = [:] }
            return holders.values
        }
        for tell in holders { tell() }
    }

    /// `tell` is called once, on any thread, when the grant ends; at once when it has. A holder has one such call.
    package func whenEnded(_ holder: AnyObject, _ tell: @escaping @Sendable () -> Void) {
        holders.withLock { $0[ObjectIdentifier(holder)] = tell }
        guard isEnded, let tell = holders.withLock({ $0.removeValue(forKey: ObjectIdentifier(holder)) }) else { return }
        tell()
    }

    /// The holder is gone.
    package func forget(_ holder: AnyObject) {
        holders.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(holder)) }
    }

    /// How long nothing may be let in for its rates; zero where something may.
    package func wait(now: UInt64) -> Duration {
        max(events?.wait(now: now) ?? .zero, bytes?.wait(now: now) ?? .zero)
    }

    /// Whether anything is to be counted against its rates.
    package var isLimited: Bool { events != nil || bytes != nil }

    /// Counts what was let in against its rates.
    package func take(events count: Int, bytes byteCount: Int, now: UInt64) {
        events?.take(count, now: now)
        bytes?.take(byteCount, now: now)
    }
}
