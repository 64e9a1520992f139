internal import Hummingbird
internal import MillraceEvent
internal import MillracePostgres

/// `GET /v1/events`: events, the latest first.
struct EventQueryRoute: Sendable {
    static let operation = APIOperation(
        id: "queryEvents", path: ReadRoute.events.path, tag: "events", summary: "Events, the latest first",
        access: .read,
        parameters: [
            APIParameter("type", .text(bytesMax: 200), "Only of this event_type", example: "page.viewed"),
            ReadParameters.user,
        ] + TimeRange.parameters + [
            APIParameter(
                "payload", .object, "Only whose payload contains this JSON object (`@>`)", example: #"{"path":"/"}"#),
            ReadParameters.limit(50), ReadParameters.cursor,
        ], answer: "EventPage")

    /// Without `from`.
    private static let length = Duration.seconds(31 * 86_400)
    /// Without `to`: as far ahead of the clock as events may be by default.
    private static let ahead = Duration.seconds(86_400)

    let pool: ReadPool
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let cursor = try parameters.cursor(count: 4)
        let range = try Self.range(parameters, cursor, length: Self.length, ahead: Self.ahead)
        let payload = PrintedSize.guarded("payload", bytesMax: configuration.documentBytesMax)
        let query = TimedRowsQuery(
            table: "public.analytics_events",
            columns: "id, event_type, user_id, \(payload) AS payload, created_at, received_at",
            tenant: configuration.tenant,
            range: range
        ) { statement in
            if let type = parameters.text("type") {
                statement.append("AND event_type = \(statement.bind(type, as: "text", named: "type"))")
            }
            if let user = parameters.text("user_id") {
                statement.append("AND user_id = \(statement.bind(user, as: "uuid", named: "user_id"))")
            }
            if let payload = parameters.text("payload") {
                statement.append("AND payload @> \(statement.bind(payload, as: "jsonb", named: "payload"))")
            }
        }
        let reader = PageReader(
            limit: parameters.integer("limit", default: 50), bytesMax: configuration.pageBytesMax,
            memory: configuration.memory, keyCount: TimedRowsQuery.keyCount, guardedColumn: 3
        ) { query.statement(after: $0) }
        let page = try await pool.read(.events) { try reader.read(after: cursor.map { Array($0[2...]) }, on: $0) }
        return try Self.answer(page, range, parameters)
    }

    /// A cursor goes on within the range of its first page.
    static func range(
        _ parameters: RequestParameters, _ cursor: [String?]?, length: Duration, ahead: Duration
    ) throws(APIProblem) -> TimeRange {
        guard let cursor, let from = cursor[0], let to = cursor[1] else {
            return try TimeRange(parameters, length: length, ahead: ahead)
        }
        return TimeRange(from: from, to: to)
    }

    /// Throws where the page would begin with a row that can't be read.
    static func answer(
        _ page: Page, _ range: TimeRange, _ parameters: RequestParameters
    ) throws(APIProblem) -> Response {
        if let row = page.unread {
            let next = PageCursor([range.from, range.to] + row).text(question: parameters.question)
            throw .rowTooLarge(row, next: next)
        }
        var page = page
        page.next = page.next.map { [range.from, range.to] + $0 }
        var json = JSONWriter()
        json.append(raw: "{")
        json.append(name: "from")
        json.append(range.from)
        json.append(name: "to")
        json.append(range.to)
        return APIAnswer.response(json, page, named: "items", question: parameters.question)
    }
}
