/// Which server, and which life of it, answered. When any part has changed, what was committed but not flushed may be
/// gone, so the ledger is to be read again.
package struct ServerIdentity: Sendable, Equatable {
    /// Drawn by initdb; nil when the role may not read it.
    package var systemIdentifier: String?
    /// Rises with each promotion of a standby; nil when the role may not read it.
    package var timeline: Int?
    /// Of the postmaster, seconds since 1970 with microseconds, as the server writes it.
    package var startTime: String
}
