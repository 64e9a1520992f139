internal import MillraceAccess
internal import MillraceEvent

extension EventParser {
    /// What a conversation save counts as where a key's types are looked at.
    static let saveType = "conversation.save"

    /// Refuses the line that was validated last unless its type is one of `types`. `kind`: what it is.
    func requireType(_ kind: RecordKind, _ types: EventTypeFilter) throws(Refusal) {
        let isAllowed = kind == .conversation ? types.allows(Self.saveType.utf8) : types.allows(eventType)
        guard !isAllowed else { return }
        throw Refusal(
            .forbiddenType,
            "this key may not send \(kind == .conversation ? "conversation saves (\(Self.saveType))" : "this event_type")"
        )
    }
}
