import MillraceEvent

/// What recovery found.
struct RecoveredSpool: Sendable {
    /// The newest segment, when it can be written on.
    enum Newest: Sendable, Equatable {
        case none
        /// Ends at a whole record: go on in it.
        case appendable
        /// Bytes that are no record follow its valid end: go on in a new one.
        case torn
    }

    var spoolID: UniqueID
    /// Ascending by number.
    var segments: [Segment] = []
    var newest = Newest.none
    var nextSequence: UInt64 = 1
    /// For the operator: what was cut, skipped and set aside.
    var findings: [String] = []
}
