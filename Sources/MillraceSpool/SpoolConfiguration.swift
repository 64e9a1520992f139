/// Where the spool lives and how much it may take.
package struct SpoolConfiguration: Sendable, Equatable {
    /// The spool's own directory; made when missing.
    package var directory: String
    /// A segment is closed when the next group would pass this, in bytes. At most a quarter of `bytesMax`, so that
    /// retiring the oldest segment always makes room.
    package var segmentBytes: Int
    /// Bytes of all segments together above which nothing more is taken.
    package var bytesMax: Int
    /// Bytes of the file system that stay free for others; below, nothing more is taken.
    package var freeBytesMin: Int
    /// Bytes that one `fdatasync` covers at most, unless one submission alone is larger.
    package var groupBytesMax: Int
    /// Zeros written at a time for small groups to be written over; 0 lets the file grow with each group.
    package var zeroAheadBytes: Int
    /// How long a settled segment is kept: what a standby that lags behind may lack when it is promoted.
    package var retain: Duration
    /// How often a full spool looks for room, and how often retention is considered.
    package var fullRetry: Duration

    package init(
        directory: String, segmentBytes: Int = 64 << 20, bytesMax: Int = 16 << 30, freeBytesMin: Int = 256 << 20,
        groupBytesMax: Int = 4 << 20, zeroAheadBytes: Int = 1 << 20, retain: Duration = .seconds(600),
        fullRetry: Duration = .seconds(1)
    ) {
        self.directory = directory
        self.segmentBytes = max(SegmentHeader.byteCount + 1, min(segmentBytes, bytesMax / 4))
        self.bytesMax = bytesMax
        self.freeBytesMin = freeBytesMin
        self.groupBytesMax = groupBytesMax
        self.zeroAheadBytes = zeroAheadBytes
        self.retain = retain
        self.fullRetry = fullRetry
    }
}
