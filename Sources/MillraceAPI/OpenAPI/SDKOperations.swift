internal import MillraceJSON
internal import MillraceRoutes

/// What SDKs send when only their host was changed, and CloudEvents. The intake answers all of it.
enum SDKOperations {
    /// Nil for other routes.
    static func operation(_ route: HTTPRoute) -> APIOperation? {
        switch route {
        case .segment: segment
        case .segmentPixel: pixel
        case .postHog: postHog
        case .postHogV1: postHogV1
        case .cloudEvents: cloudEvents
        case .openTelemetryLogs: openTelemetryLogs
        case .pixel: picture
        case .snippet: snippet
        case .featureFlags: flags
        default: nil
        }
    }

    private static let segment = APIOperation(
        .segment, id: "segment", tag: "SDKs",
        summary: "Calls of Segment's and RudderStack's SDKs; durable when answered",
        access: .intake, body: body, answer: .init(name: "SegmentAccepted", schema: accepted("success", .boolean)),
        successes: [(200, "Durable; what can't be an event is in dead_letters")], furtherFailures: failures,
        errorAnswer: .init(SDKErrorAnswer.self))

    private static let pixel = APIOperation(
        .segmentPixel, id: "segmentPixel", tag: "SDKs", summary: "The same as a picture, whose query is the call",
        access: .intake,
        parameters: [
            APIParameter("event", .anything, "Of track: the event's name", example: "seen"),
            APIParameter("userId", .anything, "Who"),
            APIParameter("anonymousId", .anything, "Who, before that is known"),
            APIParameter("messageId", .anything, "The same again counts once"),
            APIParameter("timestamp", .anything, "When"), APIParameter("writeKey", .anything, "The key"),
        ],
        successes: [(200, "Durable: a transparent picture")], furtherFailures: failures,
        errorAnswer: .init(SDKErrorAnswer.self), furtherContent: [("image/gif", .text)])

    private static let picture = APIOperation(
        .pixel, id: "pixel", tag: "pages", summary: "An event from a page, as a picture whose query it is",
        access: .intake,
        parameters: [
            APIParameter("type", .anything, "The event's type. Default: page.viewed", example: "page.viewed"),
            APIParameter("path", .anything, "And any other name: a string of the payload", example: "/docs"),
            APIParameter("id", .anything, "The same again counts once"),
            APIParameter("user", .anything, "Who: a UUID, or any other id"),
            APIParameter("time", .anything, "When: RFC 3339, or milliseconds since 1970"),
            APIParameter("key", .anything, "A key that may write"),
        ],
        successes: [(200, "Durable: a transparent picture; what can't be an event is in dead_letters")],
        furtherFailures: failures, errorAnswer: .init(SDKErrorAnswer.self), furtherContent: [("image/gif", .text)])

    private static let snippet = APIOperation(
        .snippet, id: "snippet", tag: "pages", summary: "The script that pages send events with", access: .open,
        furtherContent: [("text/javascript", .text)])

    private static let postHog = APIOperation(
        .postHog, id: "postHog", tag: "SDKs", summary: "Events of PostHog's SDKs; durable when answered",
        access: .intake,
        parameters: [
            APIParameter("beacon", .anything, "1: answered without a body"),
            APIParameter("compression", .anything, "base64, where the body is that; gzip is known without it"),
        ],
        body: body, answer: .init(name: "PostHogAccepted", schema: accepted("status", .integer)),
        successes: [(200, "Durable; what can't be an event is in dead_letters"), (204, "The same, with beacon=1")],
        furtherFailures: failures, errorAnswer: .init(SDKErrorAnswer.self))

    private static let postHogV1 = APIOperation(
        .postHogV1, id: "postHogV1", tag: "SDKs", summary: "The same with a verdict on each event, by its uuid",
        access: .intake, body: body,
        answer: .init(
            name: "PostHogResults",
            schema: accepted(
                "results",
                [
                    "type": "object",
                    "additionalProperties": JSONSchema.object(
                        [("result", .choice(["ok", "drop"])), ("details", .text)], required: ["result"]
                    ).value,
                ])),
        successes: [(200, "What is ok is durable")], furtherFailures: failures, errorAnswer: .init(SDKErrorAnswer.self))

    private static let cloudEvents = APIOperation(
        .cloudEvents, id: "cloudEvents", tag: "events",
        summary:
            "CloudEvents 1.0: structured, batched, or binary (headers ce-…); /v1/events takes the first two as well",
        access: .intake,
        parameters: [PostedItem.acknowledgement],
        body: APIOperation.Body(
            schemas: [
                ("application/cloudevents+json", .anyObject),
                ("application/cloudevents-batch+json", .array(of: .anyObject)),
            ], components: [], example: nil),
        answer: .init(AcceptedEvents.self),
        successes: [(200, "With ack=committed: committed"), (202, "Durable in the spool")], furtherFailures: failures,
        errorAnswer: .init(name: "CloudEventsRefused", schema: .anyObject))

    private static let openTelemetryLogs = APIOperation(
        .openTelemetryLogs, id: "openTelemetryLogs", tag: "SDKs",
        summary: "Logs of OpenTelemetry by OTLP/HTTP; durable when answered, in the request's encoding",
        access: .intake,
        body: APIOperation.Body(
            schemas: [("application/json", .anyObject), ("application/x-protobuf", .text)], components: []),
        answer: .init(
            name: "LogsAccepted",
            schema: .object(
                [
                    (
                        "partialSuccess",
                        .object([("rejectedLogRecords", .text), ("errorMessage", .text)], required: [])
                    )
                ], required: [])),
        successes: [(200, "Durable, but for those that partialSuccess counts")],
        furtherFailures: failures + [(429, "Over a limit; try after Retry-After")],
        errorAnswer: .init(
            name: "LogsRefused",
            schema: .object([("code", .integer), ("message", .text)], required: ["code", "message"])),
        furtherContent: [("application/x-protobuf", .text)])

    private static let flags = APIOperation(
        .featureFlags, id: "featureFlags", tag: "SDKs", summary: "No feature flags, so that SDKs go quiet",
        access: .open, answer: .init(name: "NoFlags", schema: .anyObject), furtherFailures: failures)

    private static let body = APIOperation.Body(
        schemas: [("application/json", ["oneOf": [JSONSchema.anyObject.value, JSONSchema.array(of: [:]).value]])],
        components: [])

    private static let failures = [
        (408, "The body came too slowly"), (413, "Too large"), (415, "Unknown type or encoding"),
        (503, "The spool is full, or the daemon stops; try later"),
    ]

    private static func accepted(_ name: String, _ schema: JSONSchema) -> JSONSchema {
        .object([(name, schema)], required: [name])
    }
}
