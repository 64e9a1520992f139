import MillraceEvent
package import MillracePostgres

/// `[partitions]`: which months there are, and how they are looked after.
package struct PartitionsConfiguration: Sendable, Equatable {
    /// Months kept ready beyond the current one.
    package var ahead = 3
    /// How old and how far ahead of the clock an event may be, as `EventLimits` has it.
    package var acceptPast = EventLimits().acceptPast
    package var acceptFuture = EventLimits().acceptFuture
    package var payloadIndex = PartitionOptions().payloadIndex
    /// As `PartitionOptions` has it.
    package var ginPendingListBytes = PartitionOptions().ginPendingListBytes
    /// Pause between two turns of emptying the pending lists of the months' GIN indexes while `ginCleanRows` wait there;
    /// shorter when nothing is committed.
    package var ginCleanInterval = Duration.seconds(1)
    package var ginCleanRows = 2000
    /// Longest time that fewer rows wait there.
    package var ginCleanLimit = Duration.seconds(30)
    /// Where late events of a month go whose table is there and detached.
    package var retired = RetiredMonthPolicy.deadLetter
    /// How long months are kept after their end: of all tables (`13mo`), or of each (`analytics_events=13mo, …`); empty: for
    /// ever.
    package var retain = ""
    /// What the daemon does with months that `retain` no longer keeps.
    package var retirement = RetirementPolicy.archive
    /// When it does, UTC: `01:00-05:00`.
    package var quietHours = "01:00-05:00"
    /// How long the DETACH of a month waits for a lock at a time, and in all.
    package var detachLockTimeout = PartitionOptions().detachLockTimeout
    package var detachWait = PartitionOptions().detachWait
    /// How long a month that leaves waits for the spools of all daemons.
    package var sealWait = PartitionOptions().sealWait
    /// How often months are made ahead, closed months indexed, and old rows of `event_ids` removed.
    package var maintenanceInterval = Duration.seconds(3600)

    package init() {}

    /// How months are made. `lockTimeout`: `database.lock_timeout`.
    package func options(lockTimeout: Duration) -> PartitionOptions {
        PartitionOptions(
            payloadIndex: payloadIndex, ginPendingListBytes: ginPendingListBytes, lockTimeout: lockTimeout,
            detachLockTimeout: detachLockTimeout, detachWait: detachWait, sealWait: sealWait)
    }
}
