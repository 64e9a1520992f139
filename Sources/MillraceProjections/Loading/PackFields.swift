/// What a fold may read of a row.
struct PackFields {
    var names: [String]
    /// The jsonb column, whose members may be named behind a dot.
    var document: String

    static let events = PackFields(
        names: ["id", "tenant_id", "event_type", "user_id", "created_at", "received_at", "payload"],
        document: "payload")

    static let conversations = PackFields(
        names: [
            "id", "tenant_id", "conversation_id", "user_id", "question", "response", "source", "created_at",
            "received_at", "metadata",
        ], document: "metadata")
}
