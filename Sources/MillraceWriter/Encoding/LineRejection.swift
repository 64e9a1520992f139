package import MillraceEvent

/// A line that was accepted once and can't be encoded any more (another version's rules): a dead letter.
package struct LineRejection: Sendable, Equatable {
    package var sequence: UInt64
    package var refusal: Refusal
}
