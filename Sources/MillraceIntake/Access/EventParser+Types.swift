internal import MillraceAccess
internal import MillraceEvent

extension EventParser {
    /// Refuses the line that was validated last unless its type is one of `types`. `kind`: what it is.
    func requireType(_ kind: RecordKind, _ types: EventTypeFilter) throws(Refusal) {
        switch kind {
        case .conversation where !types.allows(EventTypeFilter.conversationSave.utf8):
            throw Refusal(
                .forbiddenType, "this key may not send conversation saves (\(EventTypeFilter.conversationSave))")
        case .event where !types.allows(eventType):
            throw Refusal(.forbiddenType, "this key may not send this event_type")
        default: return
        }
    }
}
