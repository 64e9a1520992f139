/// What the lines of one record are; raw values stand on disk.
package enum RecordKind: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    /// Analytics events, for `analytics_events`.
    case event = 1
    /// Conversation saves, for `conversations`.
    case conversation = 2
    /// Lines that were refused on a connection that asked for no answers, for `dead_letters`.
    case refused = 3

    /// The metric tag and log value.
    package var description: String {
        switch self {
        case .event: "event"
        case .conversation: "conversation"
        case .refused: "refused"
        }
    }
}
