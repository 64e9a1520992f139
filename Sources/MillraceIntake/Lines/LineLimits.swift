package import MillraceEvent

/// What a line may be; the same on every way in.
package struct LineLimits: Sendable {
    /// Largest line or item accepted, in bytes, newline excluded: 1 KiB ... 16 MiB.
    package var lineBytesMax = 1 << 20
    /// What the parser accepts.
    package var event = EventLimits()

    package init() {}
}
