/// What an accepted line is.
package enum ParsedLine: Sendable, Equatable {
    case event(AnalyticsEvent)
    case conversation(ConversationSave)
}
