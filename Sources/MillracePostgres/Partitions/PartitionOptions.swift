/// How months are made.
package struct PartitionOptions: Sendable, Equatable {
    package var payloadIndex: PayloadIndexPolicy
    /// Pending list of each GIN index of a month, in bytes, whole KiB: 64 KiB ... 2 GiB. At PostgreSQL's 4 MiB, the COPY
    /// that fills the list flushes it and stalls; the daemon empties the list from a connection of its own.
    package var ginPendingListBytes: Int
    /// Inserts into a month after which autovacuum visits it. PostgreSQL's default grows with the table, and comes too
    /// late for index-only scans on a month that is only appended to.
    package var vacuumInsertThreshold: Int
    /// For a lock on the parent, before the try is given up and repeated.
    package var lockTimeout: Duration
    /// Tries for that lock.
    package var attemptsMax: Int
    /// For a lock that takes a month out of its table, at a time: so long may others wait behind it.
    package var detachLockTimeout: Duration
    /// Until a month is given up that others hold.
    package var detachWait: Duration
    /// For daemons to put in what they have acknowledged, before a month leaves.
    package var sealWait: Duration

    /// The defaults are config.toml's.
    package init(
        payloadIndex: PayloadIndexPolicy = .live,
        ginPendingListBytes: Int = 64 << 20,
        vacuumInsertThreshold: Int = 1_000_000,
        lockTimeout: Duration = .seconds(2),
        attemptsMax: Int = 10,
        detachLockTimeout: Duration = .milliseconds(500),
        detachWait: Duration = .seconds(600),
        sealWait: Duration = .seconds(60)
    ) {
        self.payloadIndex = payloadIndex
        self.ginPendingListBytes = ginPendingListBytes
        self.vacuumInsertThreshold = vacuumInsertThreshold
        self.lockTimeout = lockTimeout
        self.attemptsMax = attemptsMax
        self.detachLockTimeout = detachLockTimeout
        self.detachWait = detachWait
        self.sealWait = sealWait
    }
}

/// `partitions.payload_index`: when a month of `analytics_events` gets its GIN index on `payload`.
package enum PayloadIndexPolicy: String, Sendable, CaseIterable {
    /// When the month's table is made: `payload @>` is fast at once, and writing costs about twice.
    case live
    /// In one go after the month is over.
    case closed
    case none
}

/// `partitions.retired`: where late events go when their month was detached.
package enum RetiredMonthPolicy: String, Sendable, CaseIterable {
    /// Into `dead_letters`, as `month_retired`.
    case deadLetter = "dead_letter"
    /// Into a new partition for the month, beside the detached table.
    case attach
}

/// `partitions.retirement`: what becomes of a month that is no longer kept.
package enum RetirementPolicy: String, Sendable, CaseIterable {
    /// It is archived, the archive is verified, and its table dropped.
    case archive
    /// It becomes a table by itself, which stays.
    case detach

    /// Where the month goes.
    package var goal: MonthGoal { self == .archive ? .dropped : .detached }
}
