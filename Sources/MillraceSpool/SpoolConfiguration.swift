/// `[spool]`: where it lives and how much it may take.
package struct SpoolConfiguration: Sendable, Equatable {
    /// The spool's own directory; made when missing. Empty in config.toml for `spool` under `data.directory`.
    package var directory: String
    /// A segment is closed when the next group would pass this, in bytes. At most a quarter of `bytes`, so that retiring
    /// the oldest segment always makes room.
    package var segmentBytes = 64 << 20
    /// Bytes of all segments together above which nothing more is taken.
    package var bytes = 16 << 30
    /// Bytes of the file system that stay free for others; below, nothing more is taken.
    package var freeBytes = 256 << 20
    /// Bytes that wait in memory for the disk: the record channel's.
    package var queueBytes = 16 << 20
    /// Bytes that one `fdatasync` covers at most, unless one submission alone is larger.
    package var groupBytes = 4 << 20
    /// Zeros written at a time for small groups to be written over; 0 lets the file grow with each group.
    package var zeroAheadBytes = 1 << 20
    /// How long a settled segment is kept: what a standby that lags behind may lack when it is promoted.
    package var retain = Duration.seconds(3600)
    /// The standbys whose replay segments wait for, as the writers' `StandbyRequirement` reads it.
    package var retainUntilReplayed = ""
    /// How often a full spool looks for room, and how often retention is considered.
    package var fullRetry = Duration.seconds(1)

    package init(directory: String = "") {
        self.directory = directory
    }
}
