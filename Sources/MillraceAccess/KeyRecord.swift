package import MillraceEvent

/// A key as it is stored: all but its secret.
package struct KeyRecord: Sendable, Equatable, Codable {
    package var id: String
    /// What people call it.
    package var name: String
    /// Whose rows it writes and reads.
    package var tenant: Int32
    package var scopes: Set<AccessScope>
    /// SHA-256, 32 bytes.
    package var secretHash: [UInt8]
    /// Event types that it may send: whole names, or `prefix.*`. Empty: all.
    package var eventTypes: [String] = []
    package var events = Rate()
    package var bytes = Rate()
    /// Microseconds since the epoch; nil: never.
    package var expiresAt: Int64?
    package var revokedAt: Int64?
    /// Origins of pages that may send with it, as `OriginList` takes them. Empty: no browser of a foreign page.
    package var origins: [String] = []
    /// The subject that a connection's verified client certificate must have, as RFC 4514 writes it; nil: any or none.
    package var clientSubject: String?

    /// A token bucket: what flows in a second, and what may come at once after a quiet time.
    package struct Rate: Sendable, Equatable, Codable {
        /// Events or bytes; nil: unlimited.
        package var perSecond: Int?
        /// At least 1; nil: what flows in a second.
        package var burst: Int?

        package init(perSecond: Int? = nil, burst: Int? = nil) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    package init(id: String, name: String, tenant: Int32, scopes: Set<AccessScope>, secretHash: [UInt8]) {
        self.id = id
        self.name = name
        self.tenant = tenant
        self.scopes = scopes
        self.secretHash = secretHash
    }

    /// Neither revoked nor expired.
    package func isInForce(at now: Timestamp) -> Bool {
        if let revokedAt, revokedAt <= now.microseconds { return false }
        return expiresAt.map { now.microseconds < $0 } ?? true
    }
}
