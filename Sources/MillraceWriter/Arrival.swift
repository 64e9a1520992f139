package import MillraceEvent

/// Neighbouring lines of a batch that were received at the same time.
package struct Arrival: Sendable, Equatable {
    package var receivedAt: Timestamp
    package var sequences: Range<UInt64>
}
