/// How months are made.
package struct PartitionOptions: Sendable {
    package var payloadIndex: PayloadIndexPolicy
    /// Pending list of each GIN index of a month, in KiB: 64 ... 2,097,151. At PostgreSQL's 4 MiB, the COPY that fills
    /// the list flushes it and stalls; the daemon empties the list from a connection of its own.
    package var ginPendingListKiB: Int
    /// Inserts into a month after which autovacuum visits it. PostgreSQL's default grows with the table, and comes too
    /// late for index-only scans on a month that is only appended to.
    package var vacuumInsertThreshold: Int
    /// For a lock on the parent, before the try is given up and repeated.
    package var lockTimeout: Duration
    /// Tries for that lock.
    package var attemptsMax: Int

    package init(
        payloadIndex: PayloadIndexPolicy = .live,
        ginPendingListKiB: Int = 65536,
        vacuumInsertThreshold: Int = 1_000_000,
        lockTimeout: Duration = .seconds(2),
        attemptsMax: Int = 10
    ) {
        self.payloadIndex = payloadIndex
        self.ginPendingListKiB = ginPendingListKiB
        self.vacuumInsertThreshold = vacuumInsertThreshold
        self.lockTimeout = lockTimeout
        self.attemptsMax = attemptsMax
    }
}
