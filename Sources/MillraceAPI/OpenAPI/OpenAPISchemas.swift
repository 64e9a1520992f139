/// The shapes of answers and bodies, by the names that operations give.
enum OpenAPISchemas {
    static let all: [(String, JSONTree)] = [
        (
            "Error",
            open(
                [("error", object([("code", text), ("message", text)]))],
                "With `row_too_large` also `next`: the cursor behind the row that can't be read, where it is known.")
        ),
        (
            "Refused",
            open(
                [("error", object([("code", text), ("message", text)]))],
                "When items were looked at, also `accepted`, 0, and `rejected`.")
        ),
        (
            "EventPage",
            page(
                object([
                    ("id", uuid), ("event_type", text), ("user_id", nullable("string", format: "uuid")),
                    ("payload", anyObject), ("created_at", time), ("received_at", time),
                ]), [("from", time), ("to", time)])
        ),
        (
            "ConversationPage",
            page(
                object([
                    ("id", uuid), ("conversation_id", text), ("user_id", uuid), ("question", text),
                    ("response", text), ("source", text), ("metadata", anyObject), ("created_at", time),
                    ("received_at", time),
                ]), [("from", time), ("to", time)])
        ),
        (
            "Packs",
            object([
                (
                    "items",
                    array(
                        object([
                            ("pack", text), ("title", text), ("version", integer),
                            ("live_version", nullable("integer")),
                            (
                                "folds",
                                array(
                                    object([
                                        ("name", text),
                                        (
                                            "kind",
                                            choice(["counter", "top", "unique", "entity", "append", "status_counts"])
                                        ), ("path", text), ("bucket", nullable("string")), ("by", array(text)),
                                        ("sums", array(text)), ("columns", array(text)),
                                    ]))
                            ),
                        ]))
                )
            ])
        ),
        (
            "Counts",
            page(
                open([("n", integer)], "One member a dimension, `bucket` (the start of its time), and the sums."),
                packed + [
                    ("bucket", choice(["hour", "day", "month", "none"])),
                    ("from", nullable("string", format: "date-time")), ("to", nullable("string", format: "date-time")),
                ])
        ),
        (
            "Tops",
            object(packed + [("items", array(open([("n", integer)], "One member a dimension, and the sums.")))])
        ),
        ("EntityPage", page(anyObject, packed + [("order", text)])),
        (
            "Entity",
            open(packed + [("item", anyObject)], "With `include`, its rows under its name, and `next`.")
        ),
        (
            "Health",
            object([
                ("status", choice(["healthy", "unhealthy"])),
                ("databases", object([("postgresql", database), ("supabase", database)])),
            ])
        ),
        ("Dashboard", dashboard),
        ("Event", event),
        ("ConversationSave", conversation),
        (
            "Accepted",
            open(
                [
                    ("accepted", integer),
                    (
                        "rejected",
                        array(object([("index", integer), ("error", object([("code", text), ("message", text)]))]))
                    ),
                ], "With ?ack=committed also `duplicates`, and `dead_letters` where there are some.")
        ),
        ("Saved", object([("status", choice(["saved"])), ("id", uuid)])),
        ("Alive", object([("status", choice(["alive"]))])),
        (
            "Readiness",
            open(
                [
                    ("status", choice(["ready", "not_ready"])), ("reasons", array(item)), ("notes", array(item)),
                    ("writing", boolean),
                ],
                "`writing` is false while lines wait and nothing is written; then, and while some batches are not written, "
                    + "`reason` and `since` tell more.")
        ),
        ("OpenAPI", anyObject),
    ]

    private static let text = JSONTree.object([("type", "string")])
    private static let boolean = JSONTree.object([("type", "boolean")])
    private static let integer = JSONTree.object([("type", "integer")])
    private static let uuid = JSONTree.object([("type", "string"), ("format", "uuid")])
    private static let time = JSONTree.object([("type", "string"), ("format", "date-time")])
    private static let anyObject = JSONTree.object([("type", "object")])
    private static let packed: [(String, JSONTree)] = [("pack", text), ("version", integer)]
    private static let item = object([("code", text), ("message", text)])
    private static let database = open(
        [("status", choice(["healthy", "unhealthy", "not_configured"]))], "An unhealthy one says why, as `error`.")

    private static let dashboard = object([
        (
            "billing_stats",
            object([
                (
                    "top_users",
                    array(
                        object([
                            ("user_id", uuid), ("email", text), ("first_name", text), ("last_name", text),
                            ("plan", text), ("question_count", integer),
                        ]))
                ), ("identity", choice(["available", "unavailable", "not_configured"])),
            ])
        ),
        (
            "usage_stats",
            object([
                ("questions_total", nullable("integer")), ("active_users_today", nullable("integer")),
                ("active_users_30_days", nullable("integer")),
                ("questions_by_source", array(object([("source", text), ("n", integer)]))),
                ("questions_by_day", array(object([("day", text), ("n", integer)]))),
            ])
        ),
    ])

    private static let event = JSONTree.object([
        ("type", "object"), ("required", ["event_type"]), ("additionalProperties", .bool(false)),
        (
            "properties",
            .object([
                ("event_type", bounded(1, 200)), ("id", uuid), ("user_id", nullable("string", format: "uuid")),
                ("payload", anyObject),
                ("created_at", .object([("oneOf", .array([time, integer]))])),
            ])
        ),
    ])

    private static let conversation = JSONTree.object([
        ("type", "object"), ("required", ["conversation_id", "question", "response", "user_id"]),
        ("additionalProperties", .bool(false)),
        (
            "properties",
            .object([
                ("conversation_id", bounded(1, 200)),
                ("question", .object([("type", "string"), ("minLength", .integer(1))])),
                ("response", text), ("user_id", uuid), ("timestamp", time), ("source", text), ("metadata", anyObject),
            ])
        ),
    ])

    private static func bounded(_ least: Int, _ most: Int) -> JSONTree {
        .object([("type", "string"), ("minLength", .integer(least)), ("maxLength", .integer(most))])
    }

    private static func nullable(_ type: String, format: String? = nil) -> JSONTree {
        .object([("type", .strings([type, "null"]))] + (format.map { [("format", .string($0))] } ?? []))
    }

    private static func choice(_ values: [String]) -> JSONTree {
        .object([("type", "string"), ("enum", .strings(values))])
    }

    private static func array(_ element: JSONTree) -> JSONTree {
        .object([("type", "array"), ("items", element)])
    }

    /// Its members, all of them always there, and no others.
    private static func object(_ members: [(String, JSONTree)]) -> JSONTree {
        .object([
            ("type", "object"), ("required", .strings(members.map(\.0))), ("additionalProperties", .bool(false)),
            ("properties", .object(members)),
        ])
    }

    /// Its members, and others that `doc` tells of.
    private static func open(_ members: [(String, JSONTree)], _ doc: String) -> JSONTree {
        .object([
            ("type", "object"), ("description", .string(doc)), ("required", .strings(members.map(\.0))),
            ("properties", .object(members)),
        ])
    }

    private static func page(_ element: JSONTree, _ members: [(String, JSONTree)]) -> JSONTree {
        object(members + [("items", array(element)), ("next", nullable("string"))])
    }
}

extension JSONTree: ExpressibleByArrayLiteral {
    init(arrayLiteral elements: JSONTree...) {
        self = .array(elements)
    }
}
