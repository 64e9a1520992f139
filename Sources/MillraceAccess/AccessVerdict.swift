package import MillraceEvent

/// What credentials open.
package enum AccessVerdict: Sendable {
    /// No key is wanted: tenant 0, everything.
    case open
    case granted(Grant)
    case refused(AccessRefusal)
}

extension KeyRing {
    /// Judges credentials where a key is what is wanted; a token opens nothing here.
    ///
    /// - Parameters:
    ///   - scope: what is to be done.
    ///   - clientSubject: of the connection's verified client certificate.
    package func verdict(
        on credentials: @autoclosure () -> Credentials, wanting scope: AccessScope, clientSubject: String?,
        at now: @autoclosure () -> Timestamp
    ) -> AccessVerdict {
        guard wantsKeys else { return .open }
        guard case .key(let text) = credentials(),
            let grant = grant(for: text, clientSubject: clientSubject, at: now())
        else { return .refused(.unauthenticated) }
        return grant.record.scopes.allow(scope) ? .granted(grant) : .refused(.forbidden(scope))
    }
}
