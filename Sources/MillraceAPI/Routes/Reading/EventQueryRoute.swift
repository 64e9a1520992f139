internal import Hummingbird
internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes

/// `GET /v1/events`: events, the latest first.
struct EventQueryRoute: ReadingRoute {
    static let operation = APIOperation(
        .eventQuery, id: "queryEvents", tag: "events",
        summary: "Events, the latest first; further parameters are columns that rows are told by", access: .read,
        parameters: [
            APIParameter("type", .text(bytesMax: 200), "Only of this event_type", example: "page.viewed"),
            ReadParameters.user,
        ] + TimeRange.parameters + [
            APIParameter(
                "payload", .object, "Only whose payload contains this JSON object (`@>`)", example: #"{"path":"/"}"#),
            IndexFilter.parameter("payload"),
            ReadParameters.limit(50), ReadParameters.cursor, ReadParameters.offset,
        ], takesColumns: true, answer: .init(TimedPage<EventRow>.self))

    /// Without `from`.
    private static let length = Duration.seconds(31 * 86_400)
    /// Without `to`: as far ahead of the clock as events may be by default.
    private static let ahead = Duration.seconds(86_400)

    let servers: ReadServers
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let cursor = try parameters.cursor(count: 4)
        let conditions = try parameters.conditions(of: EventRow.filters, Self.operation)
        let index = try IndexFilter(parameters, column: "payload", configuration)
        let range = try TimeRange(parameters, cursor, length: Self.length, ahead: Self.ahead)
        let query = TimedRowsQuery(
            table: "public.analytics_events",
            columns: EventRow.columns.list(documentBytesMax: configuration.limits.payloadTextBytes),
            tenant: parameters.tenant, range: range
        ) { statement in
            if let type = parameters.text("type") {
                statement.append("AND event_type = \(statement.bind(type, as: "text", named: "type"))")
            }
            if let user = parameters.text("user_id") {
                statement.append("AND user_id = \(statement.bind(user, as: "uuid", named: "user_id"))")
            }
            for condition in conditions { condition.append(to: &statement) }
            index?.append(to: &statement)
            if let payload = parameters.text("payload") {
                let place = statement.bind(payload, as: "jsonb", named: "payload")
                statement.append("AND payload @> \(place) AND NOT \(place.namesPassword)")
            }
        }
        let reader = PageReader(
            limit: parameters.integer("limit", default: 50), bytesMax: configuration.api.pageBytes,
            memory: configuration.memory, keyCount: TimedRowsQuery.keyCount,
            guardedColumn: EventRow.columns.guardedIndex,
            offset: try parameters.offset(max: configuration.api.offsetMax)
        ) { query.statement(after: $0) }
        let page = try await servers.read(.eventQuery, of: parameters.tenant) {
            try reader.read(after: cursor.map { Array($0[2...]) }, on: $0)
        }
        return try TimedPage<EventRow>.response(page, range, parameters)
    }
}

/// A row of `analytics_events`.
enum EventRow: TimedRow {
    static let pageName = "EventPage"

    static let columns = RowColumns(
        [
            ("id", .uuid), ("event_type", .text), ("user_id", .uuid.nullable), ("payload", .anyObject),
            ("created_at", .time), ("received_at", .time),
        ], guarded: "payload")

    /// That rows are told by; `payload` has a parameter of its own.
    static let filters: [CatalogTable.Column] = [
        .id, .init(name: "event_type", type: "text", category: "S", isNotNull: true), .userID, .createdAt, .receivedAt,
    ]
}
