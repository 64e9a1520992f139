package import MillraceEvent

/// Another daemon holds this spool's session in the database: its directory was copied, or runs elsewhere too.
package struct SpoolInUse: Error, CustomStringConvertible {
    package var spool: UniqueID
    /// The session that holds it, and what it does.
    package var holder: String

    package var description: String {
        "another session holds spool \(spool) in the database, and it lives: a copy of this spool's directory is served "
            + "elsewhere. \(holder). Stop the other daemon, or remove the copied directory so that a new spool is made."
    }
}
