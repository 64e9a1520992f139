/// The event types that a key may send.
package struct EventTypeFilter: Sendable, Equatable {
    /// What a conversation save counts as, and what a checkout does, which makes events of its own.
    package static let (conversationSave, checkout) = ("conversation.save", "commerce.checkout")

    private let names: Set<String>
    /// With the dot at their end.
    private let prefixes: [[UInt8]]

    /// Nil where `types` is empty: everything may be sent. Each is a whole name, or `prefix.*`.
    package init?(_ types: [String]) {
        guard !types.isEmpty else { return nil }
        names = Set(types.filter { !$0.hasSuffix(".*") })
        prefixes = types.filter { $0.hasSuffix(".*") }.map { Array($0.utf8.dropLast()) }
    }

    /// `type`: an event's, in UTF-8, as it is stored.
    package func allows(_ type: some Collection<UInt8>) -> Bool {
        prefixes.contains { type.starts(with: $0) } || names.contains(String(decoding: type, as: UTF8.self))
    }
}
