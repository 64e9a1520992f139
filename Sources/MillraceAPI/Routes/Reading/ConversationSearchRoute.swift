internal import Hummingbird
internal import MillraceEvent
internal import MillraceRoutes
internal import MillracePostgres

/// `GET /v1/conversations/search`: full-text search of questions and answers, the latest first.
///
/// Month by month from the latest, so that a word that everybody uses costs the hits of one month, and each month by
/// its full-text index: going by time instead would take each text apart.
struct ConversationSearchRoute: ReadingRoute {
    static let operation = APIOperation(
        .conversationSearch, id: "searchConversations", tag: "conversations",
        summary:
            "Full-text search of questions and answers, the latest first; further parameters are columns that rows are told by",
        access: .read, ownRows: .parameter,
        parameters: [
            APIParameter(
                "q", .text(bytesMax: 1000), "Words; \"a phrase\", -without and or work (`websearch_to_tsquery`)",
                isRequired: true, example: "chauffage"),
            APIParameter(
                "language", .choice(["fr", "en", "simple"]), "Whose word forms are one; simple: words as they are",
                fallback: "simple"),
            ReadParameters.user,
        ] + TimeRange.parameters + [ReadParameters.limit(20), ReadParameters.cursor, ReadParameters.offset],
        takesColumns: true, answer: .init(TimedPage<ConversationRow>.self))

    private static let languages = ["fr": "french", "en": "english", "simple": "simple"]

    let servers: ReadServers
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let cursor = try parameters.cursor(count: 4)
        let range = try TimeRange(
            parameters, cursor, length: ConversationsRoute.lengths.narrow, ahead: ConversationsRoute.ahead)
        let conditions = try parameters.conditions(of: ConversationRow.filters, Self.operation)
        let offset = try parameters.offset(max: configuration.api.offsetMax)
        let limit = parameters.integer("limit", default: 20)
        let columns = ConversationRow.columns.list(documentBytesMax: configuration.limits.payloadTextBytes)
        let (bytesMax, memory, tenant) = (configuration.api.pageBytes, configuration.memory, parameters.tenant)
        let language = Self.languages[parameters.text("language") ?? "simple"] ?? "simple"
        let isNarrow = parameters.text("user_id") != nil
        let page = try await servers.read(.conversationSearch, of: tenant) { connection in
            var page = Page()
            var left = offset
            let key = cursor.map { Array($0[2...]) }
            for month in try Self.months(in: range, before: key?[0], on: connection) {
                let query = TimedRowsQuery(
                    table: month.table, columns: columns, tenant: tenant, range: month.range
                ) { statement in
                    ConversationsRoute.filter(parameters, in: &statement)
                    for condition in conditions { condition.append(to: &statement) }
                }
                let reader = PageReader(
                    limit: limit, bytesMax: bytesMax, memory: memory, keyCount: TimedRowsQuery.keyCount,
                    guardedColumn: ConversationRow.columns.guardedIndex, offset: left
                ) {
                    query.statement(after: $0, found: isNarrow) { statement in
                        let words = statement.bind(parameters.text("q"), as: "text", named: "q")
                        let document = "public.conversation_document(question, response)"
                        return "\(document) @@ websearch_to_tsquery('\(language)', \(words))"
                    }
                }
                let count = page.count
                page = try reader.read(after: key, into: page, on: connection)
                if page.next != nil || page.unread != nil { return page }
                if page.count > count {
                    left = 0
                } else if left > 0 {
                    left -= try reader.count(on: connection)
                }
            }
            return page
        }
        return try TimedPage<ConversationRow>.response(page, range, parameters)
    }

    /// A part of the range and the partition that holds its rows.
    private struct Month {
        var table: String
        var range: TimeRange
    }

    /// The latest first.
    private static func months(
        in range: TimeRange, before key: String?, on connection: PostgresConnection
    ) throws -> [Month] {
        var statement = SQLStatement(
            """
            SELECT name, greatest(month, wanted.start), least(month + interval '1 month', wanted.finish)
            FROM (
                SELECT c.relname AS name, to_timestamp(substring(c.relname FROM 'y([0-9]{4}m[0-9]{2})$'), 'YYYY"m"MM') AS month
                FROM pg_catalog.pg_inherits AS i
                JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
                WHERE i.inhparent = 'public.conversations'::regclass
            ) AS partitions
            """)
        let from = statement.bind(range.from, as: "timestamptz", named: "from")
        let to = statement.bind(range.to, as: "timestamptz", named: "to")
        let last = statement.bind(key, as: "timestamptz", named: "cursor")
        statement.append("CROSS JOIN (SELECT \(from) AS start, \(to) AS finish) AS wanted")
        statement.append("WHERE month < wanted.finish AND month + interval '1 month' > wanted.start")
        statement.append("AND (\(last) IS NULL OR month <= \(last)) ORDER BY month DESC")
        let result = try statement.run(on: connection)
        return (0..<result.rowCount).map { row in
            Month(
                table: "public." + SQLStatement.quoted(result.string(row, 0) ?? ""),
                range: TimeRange(from: result.string(row, 1) ?? range.from, to: result.string(row, 2) ?? range.to))
        }
    }
}

extension TimedRowsQuery {
    /// The rows that `condition` finds, then sorted. `isNarrow`: the other conditions leave few rows, so that any index
    /// may find them; else it is the index of `condition`, since within OFFSET there is no other condition.
    func statement(
        after key: [String?]?, found isNarrow: Bool, _ condition: (inout SQLStatement) -> String
    ) -> SQLStatement {
        var statement = SQLStatement("SELECT \(columns), created_at, id FROM (SELECT * FROM \(table)")
        statement.append("WHERE " + condition(&statement))
        if isNarrow { conditions(&statement) }
        statement.append("OFFSET 0) AS found WHERE " + range.condition(on: "created_at", in: &statement))
        statement.append("AND tenant_id = \(tenant)")
        if !isNarrow { conditions(&statement) }
        after(key, in: &statement)
        statement.append("ORDER BY created_at DESC, id DESC")
        return statement
    }
}
