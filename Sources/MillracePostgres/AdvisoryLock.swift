/// The first key of Millrace's two-key advisory locks; the second says which one of the class.
package enum AdvisoryLock: Int32, Sendable, CaseIterable {
    /// Second key 0: one migration at a time; 1: held by the session that builds indexes for one.
    case migration = 0x4D4C_0001
    /// Second key: hashtext of the month's table.
    case partition = 0x4D4C_0002
    /// Second key: hashtext of the month's table; held by the session while its payload index is built.
    case payloadIndex = 0x4D4C_0003
    /// Second key 0: held shared by each batch, and alone while the set of projections changes.
    case projections = 0x4D4C_0004
    /// Second key 0: held by the session of the daemon that empties the outbox.
    case outbox = 0x4D4C_0005
    /// Second key 0: one at a time joins rows of the ledger.
    case ledger = 0x4D4C_0006
    /// Second key 0: held shared by who adds or counts saves, and alone by who changes the status of some.
    case conversationStatuses = 0x4D4C_0007
    /// Second key 0: held by the session that erases users from the tables.
    case erasure = 0x4D4C_0008
    /// Second key: hashtext of the month's table; held by the session that retires, archives or restores the month. 0: by the
    /// daemon that looks for months to retire.
    case retirement = 0x4D4C_0009
    /// Second key 0: held by the session that rebuilds indexes.
    case reindex = 0x4D4C_000A
    /// Second key 0: held by the session of the daemon that empties the GIN indexes' pending lists.
    case cleaning = 0x4D4C_000B
}
