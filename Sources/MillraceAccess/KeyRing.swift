package import MillraceEvent
internal import Synchronization

/// The keys in force, as every listener asks for them. Replaced as a whole whenever PostgreSQL has others.
package final class KeyRing: Sendable {
    private struct State {
        var grants: [String: Grant] = [:]
    }

    private let state = Mutex(State())
    private let isRequired: Atomic<Bool>

    /// `isRequired`: a key is wanted before any is known, for listeners that others reach.
    package init(isRequired: Bool) {
        self.isRequired = Atomic(isRequired)
    }

    /// Whether a key is wanted: true from the first key that was ever made, also when all have been revoked since.
    package var wantsKeys: Bool { isRequired.load(ordering: .relaxed) }

    /// Keys that open something.
    package var count: Int { state.withLock { $0.grants.count } }

    /// Has a key wanted of everyone from now on, for as long as the process runs.
    package func wantKeys() { isRequired.store(true, ordering: .relaxed) }

    /// Takes these keys, revoked and expired ones too. A key that is as it was keeps what it has used. Grants of others end,
    /// and their holders ask again.
    ///
    /// - Parameter clock: nanoseconds of a clock that never goes back.
    package func replace(with records: [KeyRecord], at now: Timestamp, clock: UInt64) {
        if !records.isEmpty { wantKeys() }
        state.withLock { state in
            var grants: [String: Grant] = [:]
            for record in records where record.isInForce(at: now) {
                let old = state.grants[record.id]
                grants[record.id] = old?.record == record ? old : Grant(record, now: clock)
            }
            for (id, old) in state.grants where grants[id] !== old { old.end() }
            state.grants = grants
        }
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
        state.withLock { state in
            for (id, grant) in state.grants where !grant.record.isInForce(at: now) {
                grant.end()
                state.grants[id] = nil
            }
        }
    }

    private static func isUsable(_ grant: Grant, _ clientSubject: String?, _ now: Timestamp) -> Bool {
        grant.record.isInForce(at: now)
            && (grant.record.clientSubject == nil || grant.record.clientSubject == clientSubject)
    }
}
