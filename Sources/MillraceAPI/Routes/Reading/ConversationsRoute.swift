internal import Hummingbird
internal import MillraceEvent
internal import MillracePostgres

/// `GET /v1/conversations`: questions and answers that are active, the latest first.
struct ConversationsRoute: Sendable {
    static let operation = APIOperation(
        id: "listConversations", path: ReadRoute.conversations.path, tag: "conversations",
        summary: "Questions and answers, the latest first", access: .read,
        parameters: [
            ReadParameters.user,
            APIParameter("conversation_id", .text(bytesMax: 200), "Only of this conversation", example: "c-1"),
        ] + TimeRange.parameters + [ReadParameters.limit(50), ReadParameters.cursor], answer: "ConversationPage")

    /// Those of the answer; the one at `metadataColumn` is guarded.
    static func columns(_ configuration: ReadConfiguration) -> String {
        let metadata = PrintedSize.guarded("metadata", bytesMax: configuration.documentBytesMax)
        return
            "id, conversation_id, user_id, question, response, source, \(metadata) AS metadata, created_at, received_at"
    }
    static let metadataColumn = 6
    /// Without `from`. A user's or a conversation's rows are few in every month; all rows are not.
    static let lengths = (narrow: Duration.seconds(366 * 5 * 86_400), wide: Duration.seconds(31 * 86_400))
    static let ahead = Duration.seconds(86_400)

    let pool: ReadPool
    let configuration: ReadConfiguration

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let cursor = try parameters.cursor(count: 4)
        let isNarrow = parameters.text("user_id") != nil || parameters.text("conversation_id") != nil
        let range = try EventQueryRoute.range(
            parameters, cursor, length: isNarrow ? Self.lengths.narrow : Self.lengths.wide, ahead: Self.ahead)
        let query = TimedRowsQuery(
            table: "public.conversations", columns: Self.columns(configuration), tenant: configuration.tenant,
            range: range
        ) { statement in
            Self.filter(parameters, in: &statement)
            if let conversation = parameters.text("conversation_id") {
                let value = statement.bind(conversation, as: "text", named: "conversation_id")
                statement.append("AND conversation_id = \(value)")
            }
        }
        let reader = PageReader(
            limit: parameters.integer("limit", default: 50), bytesMax: configuration.pageBytesMax,
            memory: configuration.memory, keyCount: TimedRowsQuery.keyCount, guardedColumn: Self.metadataColumn
        ) { query.statement(after: $0) }
        let page = try await pool.read(.conversations) {
            try reader.read(after: cursor.map { Array($0[2...]) }, on: $0)
        }
        return try EventQueryRoute.answer(page, range, parameters)
    }

    /// What both routes of conversations want.
    static func filter(_ parameters: RequestParameters, in statement: inout SQLStatement) {
        statement.append("AND status = 'active'")
        if let user = parameters.text("user_id") {
            statement.append("AND user_id = \(statement.bind(user, as: "uuid", named: "user_id"))")
        }
    }
}
