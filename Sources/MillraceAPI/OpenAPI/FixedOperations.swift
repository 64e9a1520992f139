internal import MillraceTelemetry

/// The operations that other parts answer: the intake, the save of a conversation, and operations.
enum FixedOperations {
    static let postEvents = APIOperation(
        id: "postEvents", method: .post, path: "/v1/events", tag: "events",
        summary: "Events and conversation saves: one object, an array, or one a line; answered when they are durable",
        access: .open,
        parameters: [
            APIParameter(
                "ack", .choice(["spooled", "committed"]), "committed: answered once they are in PostgreSQL",
                fallback: "spooled")
        ],
        body: APIOperation.Body(
            schemas: [
                (
                    "application/json",
                    .object([
                        (
                            "oneOf",
                            [
                                item,
                                .object([("type", "array"), ("items", item)]),
                            ]
                        )
                    ])
                ), ("application/x-ndjson", .object([("type", "string")])),
            ], example: .object([("event_type", "page.viewed"), ("payload", .object([("path", "/")]))])),
        answer: "Accepted",
        successes: [(200, "With ack=committed: committed"), (202, "Durable in the spool")],
        furtherFailures: [
            (408, "The body came too slowly"), (413, "Too large"), (415, "Unknown type or encoding"),
            (503, "The spool is full, or the daemon stops; try later"),
        ], errorAnswer: "Refused")

    static let saveConversation = APIOperation(
        id: "saveConversation", method: .post, path: "/api/v1/conversations/save", tag: "conversations",
        summary: "One question and its answer, by its user or a service", access: .user,
        body: APIOperation.Body(schemas: [("application/json", reference("ConversationSave"))]), answer: "Saved",
        successes: [(201, "Durable; the same again answers the same id")],
        furtherFailures: [
            (413, "Too large"), (415, "Unknown type or encoding"),
            (503, "The spool is full, or the daemon stops; try later"),
        ])

    static let operations = [
        APIOperation(
            id: "livez", path: "/livez", tag: "operations", summary: "The daemon runs", access: .open, answer: "Alive"),
        APIOperation(
            id: "readyz", path: "/readyz", tag: "operations", summary: "The daemon takes requests", access: .open,
            answer: "Readiness", furtherFailures: [(503, "It does not, for the reasons given")],
            unavailableAnswer: "Readiness"),
        APIOperation(
            id: "metrics", path: "/metrics", tag: "operations", summary: "Prometheus' text format", access: .open),
        APIOperation(
            id: "latencies", path: "/debug/latency", tag: "operations", summary: "Percentiles of every stage",
            access: .open,
            parameters: [
                APIParameter(
                    "format", .choice(LatencyFormat.allCases.map(\.rawValue)), "Of the answer", fallback: "text"),
                APIParameter("stage", .choice(MetricName.stages.compactMap(\.stage)), "One stage only"),
                APIParameter("seconds", .integer(1...300), "Of the time that begins now"),
            ], furtherContent: [("application/json", .object([("schema", .object([("type", "object")]))]))]),
        openAPI,
    ]

    static let openAPI = APIOperation(
        id: "openapi", path: "/openapi.json", tag: "operations", summary: "This description", access: .open,
        answer: "OpenAPI")

    private static let item = JSONTree.object([
        ("anyOf", [reference("Event"), reference("ConversationSave")])
    ])

    private static func reference(_ schema: String) -> JSONTree {
        .object([("$ref", .string("#/components/schemas/\(schema)"))])
    }
}
