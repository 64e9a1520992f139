/// `[erasure]`.
package struct ErasureConfiguration: Sendable, Equatable {
    /// What of an erased user's own events is blanked (`ErasurePath`).
    package var payloadPaths = [
        "email", "name", "first_name", "last_name", "full_name", "username", "phone", "address", "ip", "user_agent",
        "message", "comment", "text", "traits", "conversations.feedback_given:comment", "commerce.lead_captured:*",
    ]
    /// How often the daemon looks whether there is anything to erase.
    package var poll = Duration.seconds(1)

    package init() {}

    /// Those of `payloadPaths`; `ConfigurationChecks` has let through no others.
    package var paths: [ErasurePath] { payloadPaths.compactMap(ErasurePath.init) }
}
