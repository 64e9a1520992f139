package import MillraceEvent

/// Another daemon holds this spool's session in the database: its directory was copied, or runs elsewhere too.
package struct SpoolInUse: Error, CustomStringConvertible {
    package var spool: UniqueID

    package var description: String {
        "another session holds spool \(spool) in the database: a copy of this spool directory is served elsewhere. "
            + "Stop the other daemon, or remove the copied directory so that a new spool is made."
    }
}
