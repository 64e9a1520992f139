package import MillraceEvent
internal import Synchronization

/// The keys in force, as every listener asks for them. Replaced as a whole whenever PostgreSQL has others.
package final class KeyRing: Sendable {
    private struct State {
        var grants: [String: Grant] = [:] {
            didSet { ofPages = grants.values.filter { !$0.origins.isEmpty } }
        }
        /// Those that pages may send with.
        var ofPages: [Grant] = []
    }

    private let state = Mutex(State())
    private let isRequired: Atomic<Bool>
    /// Which keys there are is not known for sure.
    private let isDoubted = Atomic<Bool>(false)

    /// `isRequired`: a key is wanted before any is known, for listeners that others reach.
    package init(isRequired: Bool) {
        self.isRequired = Atomic(isRequired)
    }

    /// Whether a key is wanted: true from the first key that was ever made, also when all have been revoked since.
    package var wantsKeys: Bool { isRequired.load(ordering: .relaxed) || isDoubted.load(ordering: .relaxed) }

    /// Those in force, in no order.
    package var grants: [Grant] { state.withLock { Array($0.grants.values) } }

    /// Keys that open something.
    package var count: Int { state.withLock { $0.grants.count } }

    /// Has a key wanted of everyone until `replace` says which there are.
    package func doubt() { isDoubted.store(true, ordering: .relaxed) }

    /// Takes the keys of before, until `replace` says which there are now.
    package func recall(_ records: [KeyRecord], areAnyKnown: Bool, at now: Timestamp, clock: UInt64) {
        if areAnyKnown { doubt() }
        take(records, at: now, clock: clock)
    }

    /// Takes these keys; revoked and expired ones may be among them. A key that is as it was keeps what it has used. Grants
    /// of others end, and their holders ask again.
    ///
    /// - Parameters:
    ///   - areAnyKnown: whether any was ever made, these or others.
    ///   - clock: nanoseconds of a clock that never goes back.
    package func replace(
        with records: [KeyRecord], areAnyKnown: Bool = false, at now: Timestamp, clock: UInt64
    ) {
        if areAnyKnown || !records.isEmpty { isRequired.store(true, ordering: .relaxed) }
        take(records, at: now, clock: clock)
        isDoubted.store(false, ordering: .relaxed)
    }

    private func take(_ records: [KeyRecord], at now: Timestamp, clock: UInt64) {
        let ended = state.withLock { state in
            var grants: [String: Grant] = [:]
            for record in records where record.isInForce(at: now) {
                let old = state.grants[record.id]
                let isSame = old?.record == record
                grants[record.id] = isSame ? old : Grant(record, use: old?.use ?? KeyUse(), now: clock)
            }
            defer { state.grants = grants }
            return state.grants.values.filter { grants[$0.record.id] !== $0 }
        }
        // Holders ask again at once, and get what took its place.
        for grant in ended { grant.end() }
    }

    /// What a key opens. Nil for every text that is no key in force: which of the reasons it is, nobody is told.
    ///
    /// - Parameter clientSubject: of the connection's verified client certificate.
    package func grant(for text: some StringProtocol, clientSubject: String?, at now: Timestamp) -> Grant? {
        guard let key = AccessKey(text), let grant = state.withLock({ $0.grants[key.id] }),
            key.hasSecret(of: grant.record.secretHash), Self.isUsable(grant, clientSubject, now)
        else { return nil }
        return grant
    }

    /// Whether a key in force lets pages of this origin send. Says so before the key is known: a browser asks without it.
    package func allowsPages(of origin: String) -> Bool {
        state.withLock { $0.ofPages.contains { $0.origins.contains(origin) } }
    }

    /// The grant that has taken the place of one that ended; nil where the key is no longer in force.
    package func renewed(_ grant: Grant, clientSubject: String?, at now: Timestamp) -> Grant? {
        guard let grant = state.withLock({ $0.grants[grant.record.id] }), Self.isUsable(grant, clientSubject, now)
        else {
            return nil
        }
        return grant
    }

    /// Ends what has expired.
    package func expire(at now: Timestamp) {
        let ended = state.withLock { state in
            let ended = state.grants.values.filter { !$0.record.isInForce(at: now) }
            for grant in ended { state.grants[grant.record.id] = nil }
            return ended
        }
        for grant in ended { grant.end() }
    }

    private static func isUsable(_ grant: Grant, _ clientSubject: String?, _ now: Timestamp) -> Bool {
        grant.record.isInForce(at: now)
            && (grant.record.clientSubject == nil || grant.record.clientSubject == clientSubject)
    }
}
