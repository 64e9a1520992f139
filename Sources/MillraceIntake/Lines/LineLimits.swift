/// What a line may be; the same on every way in.
package struct LineLimits: Sendable {
    /// Largest line or item accepted, in bytes, newline excluded: 1 KiB ... 16 MiB.
    package var lineBytesMax = 1 << 20
    /// Largest `payload` or `metadata`, in bytes.
    package var payloadBytesMax = 256 << 10
    /// Deepest nesting of a line.
    package var depthMax = 64
    /// How far before the time received `created_at` may lie (13 months of 31 days).
    package var acceptPast = Duration.seconds(403 * 86_400)
    /// How far after the time received `created_at` may lie.
    package var acceptFuture = Duration.seconds(86_400)

    package init() {}
}
