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
    /// After the last line that is known.
    var nextSequence: UInt64 = 1
    /// Of a run that does not go on where the spool ended.
    var beginsEpoch = false
    /// Acknowledged lines of segment files that are missing between others.
    var missing: [Range<UInt64>] = []
    /// For the operator: what was cut, skipped and set aside.
    var findings: [String] = []
}
