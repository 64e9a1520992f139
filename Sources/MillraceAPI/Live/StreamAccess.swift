internal import MillraceAccess
internal import MillraceEvent

/// Whether who follows a stream still may: keys are revoked, tokens expire, and a first key is made, while it is open.
struct StreamAccess: Sendable {
    private let keyRing: KeyRing
    private(set) var caller: Caller

    init(_ keyRing: KeyRing, _ caller: Caller) {
        self.keyRing = keyRing
        self.caller = caller
    }

    /// Whether the stream may go on at `now`. Asks for the key that took the place of one that ended; that one has the same
    /// tenant, or the stream ends.
    mutating func isInForce(at now: Timestamp) -> Bool {
        if let expiry = caller.expiresAt, now >= expiry { return false }
        guard let grant = caller.grant else { return caller.isOfToken || !keyRing.wantsKeys }
        guard grant.isEnded else { return grant.record.isInForce(at: now) }
        guard let renewed = keyRing.renewed(grant, clientSubject: caller.clientSubject, at: now),
            renewed.tenant == caller.tenant, renewed.record.scopes.allow(.read)
        else { return false }
        caller.grant = renewed
        caller.scopes = renewed.record.scopes
        return true
    }
}
