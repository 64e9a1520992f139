package import MillraceEvent

/// Keys of the advisory locks that keep one spool's sessions apart.
package struct AdvisoryLockKeys: Sendable {
    /// Held for the whole session of a daemon: one daemon a spool id.
    package let sessionKey: Int64
    /// With a writer's index the two-key lock of each batch transaction: whoever gets it knows that the backend which
    /// held it before is gone, and so that its commit is either visible or never will be.
    package let writerKey: Int32

    package init(spool: UniqueID) {
        let mixed = spool.high &* 0x9E37_79B9_7F4A_7C15 ^ spool.low
        sessionKey = Int64(bitPattern: mixed)
        writerKey = Int32(truncatingIfNeeded: mixed >> 32 ^ mixed)
    }
}
