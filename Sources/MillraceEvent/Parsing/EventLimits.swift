internal import CMillrace

/// What intake accepts of a line beyond its grammar (`limits` and `partitions` in config.toml).
package struct EventLimits: Sendable, Equatable {
    /// Deepest nesting that `depthMax` can allow; the parser keeps one bit a level.
    package static let depthCeiling = Int(MR_DEPTH_MAX)
    /// The most that `payloadTextBytesMax` may be for rows that are to be read again. Writers refuse what is beyond it.
    package static let payloadTextBytesCeiling = Int(MR_PAYLOAD_TEXT_BYTES_MAX)

    /// Of `payload` and `metadata` as they came, in bytes.
    package let payloadBytesMax: Int
    /// Of the same once PostgreSQL prints their numbers, in bytes: `1e9` counts as `1000000000`. What is stored in few bytes
    /// can be too much to read.
    package let payloadTextBytesMax: Int
    /// Objects and arrays inside each other in one field: `"payload":{}` is 1 deep. 1 ... `depthCeiling`.
    package let depthMax: Int
    /// How old `created_at` may be when the line is received.
    package let acceptPast: Duration
    /// How far ahead of the time received `created_at` may be.
    package let acceptFuture: Duration
    private let acceptPastMicroseconds: Int64
    private let acceptFutureMicroseconds: Int64

    /// The contract's defaults; 13 months are 396 days here.
    package init(
        payloadBytesMax: Int = 262_144, payloadTextBytesMax: Int = 4 << 20, depthMax: Int = 64,
        acceptPast: Duration = .seconds(396 * 86_400), acceptFuture: Duration = .seconds(86_400)
    ) {
        precondition(payloadBytesMax >= 0, "a payload can't have fewer than 0 bytes")
        precondition(payloadTextBytesMax >= 0, "a printed payload can't have fewer than 0 bytes")
        precondition((1...Self.depthCeiling).contains(depthMax), "nesting is limited to 1 ... \(Self.depthCeiling)")
        self.payloadBytesMax = payloadBytesMax
        self.payloadTextBytesMax = payloadTextBytesMax
        self.depthMax = depthMax
        self.acceptPast = acceptPast
        self.acceptFuture = acceptFuture
        let epoch = Timestamp(microseconds: 0)
        acceptPastMicroseconds = epoch.advanced(by: acceptPast).microseconds
        acceptFutureMicroseconds = epoch.advanced(by: acceptFuture).microseconds
    }

    /// For the C parser. `kind`: nil lets the fields decide.
    func parserLimits(receivedAt: Timestamp, kind: RecordKind?) -> mr_limits {
        mr_limits(
            received_us: receivedAt.microseconds,
            oldest_us: receivedAt.microseconds - acceptPastMicroseconds,
            newest_us: receivedAt.microseconds + acceptFutureMicroseconds,
            payload_bytes_max: payloadBytesMax,
            payload_text_bytes_max: payloadTextBytesMax,
            depth_max: UInt32(depthMax),
            kind_wanted: kind?.rawValue ?? 0,
            was_accepted: false
        )
    }
}
