package import MillraceEvent

/// What rules say of a line that the parser accepted, before its fields are treated and it is kept.
package enum LineTreatment: Sendable, Equatable {
    /// It goes on.
    case keep
    /// It is refused, and its sender is told so.
    case refuse(Refusal)
    /// It counts as accepted, and goes whole into `dead_letters` with this reason.
    case quarantine(Refusal)
    /// It counts as accepted, and is kept nowhere.
    case sampleOut
}
