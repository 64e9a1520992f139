internal import MillraceJSON
internal import MillraceRoutes

/// What clients post.
enum PostedItem {
    /// As events may have it.
    private static let time: JSONSchema = ["oneOf": [JSONSchema.time.value, JSONSchema.integer.value]]

    static let event = APIOperation.Component(
        name: "Event",
        schema: .object(
            [
                ("event_type", .text(lengths: 1...200)), ("id", .uuid), ("user_id", .uuid.nullable),
                ("payload", .anyObject),
                ("created_at", time),
                (
                    "sent_at",
                    time.described(
                        "By the sender's clock; one that is more than a minute off is corrected in created_at")
                ),
            ], required: ["event_type"]))

    static let conversation = APIOperation.Component(
        name: "ConversationSave",
        schema: .object(
            [
                ("conversation_id", .text(lengths: 1...200)),
                ("question", ["type": "string", "minLength": .integer(1)]), ("response", .text),
                ("user_id", .uuid), ("timestamp", .time), ("source", .text), ("metadata", .anyObject),
            ], required: ["conversation_id", "question", "response", "user_id"]))

    /// When the intake answers.
    static let acknowledgement = APIParameter(
        "ack", .choice(["spooled", "committed"]), "committed: answered once they are in PostgreSQL", fallback: "spooled"
    )

    static let position = APIParameter(
        "position", .choice(["true", "false"]), "true: the answer has `position`, for `after` of routes that read",
        fallback: "false")

    /// `POST /v1/events`, which the intake answers.
    static let endpoint = Endpoint(operation, respond: nil)

    private static let operation = APIOperation(
        .events, id: "postEvents", tag: "events",
        summary: "Events and conversation saves: one object, an array, or one a line; answered when they are durable",
        access: .intake,
        parameters: [acknowledgement, position],
        body: APIOperation.Body(
            schemas: [
                ("application/json", ["oneOf": [either.value, JSONSchema.array(of: item).value]]),
                ("application/x-ndjson", .text),
            ], components: [event, conversation],
            example: ["event_type": "page.viewed", "payload": ["path": "/"]]),
        answer: .init(AcceptedEvents.self),
        successes: [(200, "With ack=committed: committed"), (202, "Durable in the spool")],
        furtherFailures: [
            (408, "The body came too slowly"), (413, "Too large"), (415, "Unknown type or encoding"),
            (503, "The spool is full, or the daemon stops; try later"),
        ], errorAnswer: .init(RefusedEvents.self))

    private static let either: JSONSchema = ["anyOf": [event.reference.value, conversation.reference.value]]
    /// Of an array, which is taken as long as one of them is what it should be.
    private static let item: JSONSchema = [
        "description": "An Event or a ConversationSave; what is neither is rejected by its index"
    ]
}
