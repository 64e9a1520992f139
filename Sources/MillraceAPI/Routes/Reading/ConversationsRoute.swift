internal import Hummingbird
internal import MillraceEvent
internal import MillraceJSON
internal import MillraceRoutes

/// `GET /v1/conversations`: questions and answers that are active, the latest first.
struct ConversationsRoute: ReadingRoute {
    static let operation = APIOperation(
        .conversations, id: "listConversations", tag: "conversations",
        summary: "Questions and answers, the latest first; further parameters are columns that rows are told by",
        access: .read, ownRows: .parameter,
        parameters: [
            ReadParameters.user,
            APIParameter("conversation_id", .text(bytesMax: 200), "Only of this conversation", example: "c-1"),
        ] + TimeRange.parameters + [
            IndexFilter.parameter("metadata"), ReadParameters.limit(50), ReadParameters.cursor, ReadParameters.offset,
        ],
        takesColumns: true, answer: .init(TimedPage<ConversationRow>.self))

    /// Without `from`. A user's or a conversation's rows are few in every month; all rows are not.
    static let lengths = (narrow: Duration.seconds(366 * 5 * 86_400), wide: Duration.seconds(31 * 86_400))
    static let ahead = Duration.seconds(86_400)

    let servers: ReadServers
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let cursor = try parameters.cursor(count: 4)
        let conditions = try parameters.conditions(of: ConversationRow.filters, Self.operation)
        let index = try IndexFilter(parameters, column: "metadata", configuration)
        let isNarrow = parameters.text("user_id") != nil || parameters.text("conversation_id") != nil
        let range = try TimeRange(
            parameters, cursor, length: isNarrow ? Self.lengths.narrow : Self.lengths.wide, ahead: Self.ahead)
        let query = TimedRowsQuery(
            table: "public.conversations",
            columns: ConversationRow.columns.list(documentBytesMax: configuration.limits.payloadTextBytes),
            tenant: parameters.tenant, range: range
        ) { statement in
            Self.filter(parameters, in: &statement)
            for condition in conditions { condition.append(to: &statement) }
            index?.append(to: &statement)
            if let conversation = parameters.text("conversation_id") {
                let value = statement.bind(conversation, as: "text", named: "conversation_id")
                statement.append("AND conversation_id = \(value)")
            }
        }
        let reader = PageReader(
            limit: parameters.integer("limit", default: 50), bytesMax: configuration.api.pageBytes,
            memory: configuration.memory, keyCount: TimedRowsQuery.keyCount,
            guardedColumn: ConversationRow.columns.guardedIndex,
            offset: try parameters.offset(max: configuration.api.offsetMax)
        ) { query.statement(after: $0) }
        let page = try await servers.read(.conversations, of: parameters.tenant) {
            try reader.read(after: cursor.map { Array($0[2...]) }, on: $0)
        }
        return try TimedPage<ConversationRow>.response(page, range, parameters)
    }

    /// What both routes of conversations want.
    static func filter(_ parameters: RequestParameters, in statement: inout SQLStatement) {
        statement.append("AND status = 'active'")
        if let user = parameters.text("user_id") {
            statement.append("AND user_id = \(statement.bind(user, as: "uuid", named: "user_id"))")
        }
    }
}

/// A row of `conversations` that is active.
enum ConversationRow: TimedRow {
    static let pageName = "ConversationPage"

    static let columns = RowColumns(
        [
            ("id", .uuid), ("conversation_id", .text), ("user_id", .uuid), ("question", .text), ("response", .text),
            ("source", .text), ("metadata", .anyObject), ("created_at", .time), ("received_at", .time),
        ], guarded: "metadata")

    /// That rows are told by.
    static let filters: [CatalogTable.Column] =
        [.id, .userID, .createdAt, .receivedAt]
        + ["conversation_id", "question", "response", "source"].map {
            CatalogTable.Column(name: $0, type: "text", category: "S", isNotNull: true)
        }
}
