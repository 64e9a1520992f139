/// Which server, which life of it, and which database answered. When any part has changed, what was committed but not
/// flushed may be gone, or all of it, so the ledger is to be read again.
package struct ServerIdentity: Sendable, Equatable {
    /// Drawn by initdb; nil when the role may not read it.
    package var systemIdentifier: String?
    /// Rises with each promotion of a standby; nil when the role may not read it.
    package var timeline: Int?
    /// Of the postmaster, seconds since 1970 with microseconds, as the server writes it.
    package var startTime: String
    /// Of the database on this server: another one may have got its name.
    package var databaseOID: Int?
    /// Drawn by the migration that made `millrace_database`, and so carried along by a dump; nil before.
    package var databaseID: String?
}
