internal import CMillrace

/// `[limits]`: what one event may be.
package struct LimitsConfiguration: Sendable, Equatable {
    /// Largest line or item accepted, in bytes, newline excluded: 1 KiB ... 16 MiB.
    package var lineBytes = 1 << 20
    /// As `EventLimits` has them.
    package var payloadBytes = 256 << 10
    /// As large as `api.page_bytes`: the largest payload fills a page.
    package var payloadTextBytes = 4 << 20
    package var depth = 64
    /// How much of a refused line is kept in `dead_letters`, in bytes.
    package var refusedLineBytes = 8 << 10
    /// Least time between two log lines about refused lines.
    package var refusedLogInterval = Duration.seconds(10)

    package init() {}
}

/// What the parser accepts of a line beyond its grammar: of `[limits]`, and of `[partitions]` the times.
package struct EventLimits: Sendable, Equatable {
    /// Deepest nesting that `depth` can be; the parser keeps one bit a level.
    package static let depthCeiling = Int(MR_DEPTH_MAX)
    /// The most that `payloadTextBytes` may be for rows that are to be read again. Writers refuse what is beyond it.
    package static let payloadTextBytesCeiling = Int(MR_PAYLOAD_TEXT_BYTES_MAX)

    /// Of `payload` and `metadata` as they came, in bytes.
    package let payloadBytes: Int
    /// Of the same once PostgreSQL prints their numbers, in bytes: `1e9` counts as `1000000000`. What is stored in few bytes
    /// can be too much to read.
    package let payloadTextBytes: Int
    /// Objects and arrays inside each other in one field: `"payload":{}` is 1 deep. 1 ... `depthCeiling`.
    package let depth: Int
    /// How old `created_at` may be when the line is received.
    package let acceptPast: Duration
    /// How far ahead of the time received `created_at` may be.
    package let acceptFuture: Duration
    private let acceptPastMicroseconds: Int64
    private let acceptFutureMicroseconds: Int64

    /// The defaults are config.toml's; 13 months are of 31 days each.
    package init(
        payloadBytes: Int = LimitsConfiguration().payloadBytes,
        payloadTextBytes: Int = LimitsConfiguration().payloadTextBytes, depth: Int = LimitsConfiguration().depth,
        acceptPast: Duration = .seconds(13 * 31 * 86_400), acceptFuture: Duration = .seconds(86_400)
    ) {
        precondition(payloadBytes >= 0, "a payload can't have fewer than 0 bytes")
        precondition(payloadTextBytes >= 0, "a printed payload can't have fewer than 0 bytes")
        precondition((1...Self.depthCeiling).contains(depth), "nesting is limited to 1 ... \(Self.depthCeiling)")
        self.payloadBytes = payloadBytes
        self.payloadTextBytes = payloadTextBytes
        self.depth = depth
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
            payload_bytes_max: payloadBytes,
            payload_text_bytes_max: payloadTextBytes,
            depth_max: UInt32(depth),
            kind_wanted: kind?.rawValue ?? 0,
            was_accepted: false
        )
    }
}
