internal import MillraceAPI
package import MillraceConfiguration
package import MillraceEvent
package import MillracePostgres

/// What the daemon's stages and the commands both take of the configuration.
extension DaemonConfiguration {
    /// Sessions of PostgreSQL that the stages behind the spool open: the writers, the ledger, maintenance, the outbox.
    package var writingSessionsMax: Int { database.writers + 3 }

    /// Sessions of PostgreSQL to look users up.
    package static var userSessionsMax: Int { IdentityConfiguration.connectionsMax }

    /// What an event may be.
    package var eventLimits: EventLimits {
        EventLimits(
            payloadBytesMax: limits.payloadBytes, payloadTextBytesMax: limits.payloadTextBytes, depthMax: limits.depth,
            acceptPast: partitions.acceptPast, acceptFuture: partitions.acceptFuture)
    }

    /// How months are made.
    package var partitionOptions: PartitionOptions {
        PartitionOptions(
            payloadIndex: PayloadIndexPolicy(rawValue: partitions.payloadIndex.rawValue) ?? .live,
            ginPendingListKiB: partitions.ginPendingListBytes >> 10, lockTimeout: database.lockTimeout,
            acceptPast: partitions.acceptPast, acceptFuture: partitions.acceptFuture,
            retired: RetiredMonthPolicy(rawValue: partitions.retired.rawValue) ?? .deadLetter)
    }
}
