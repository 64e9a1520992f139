internal import Hummingbird
internal import MillraceAccess
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceRoutes

/// `GET /v1/dead-letters`: the tenant's lines that are not in the tables, the newest first, and how many of each reason.
struct DeadLettersRoute: ReadingRoute {
    static let operation = APIOperation(
        .deadLetters, id: "deadLetters", tag: "operations",
        summary: "Open dead letters, the newest first, and how many there are of each reason", access: .read,
        parameters: [
            APIParameter("code", .text(bytesMax: 100), "Only of this reason", example: "invalid_json"),
            APIParameter("limit", .integer(1...limitMax), "Most letters shown", fallback: "50", example: "10"),
        ],
        answer: .init(LetterList.self))

    private static let limitMax = 200
    /// Of a line.
    private static let charactersMax = 2000

    /// Of `database.url`: who reads rows by `sql/roles.sql` may not see what was refused.
    let pool: ReadPool

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let (tenant, code) = (parameters.tenant, parameters.text("code"))
        let limit = parameters.integer("limit", default: 50)
        // What [fields] would have treated may stand in a refused line as it came.
        let showsLines = parameters.caller.may(.admin)
        let list = try await pool.read(.deadLetters, of: tenant) { connection in
            LetterList(
                reasons: try Self.reasons(tenant, on: connection),
                items: try Self.letters(tenant, code, limit, showsLines: showsLines, on: connection))
        }
        return Response(list)
    }

    private static func reasons(
        _ tenant: Int32, on connection: PostgresConnection
    ) throws(PostgresError) -> [LetterList.Reason] {
        let rows = try connection.query(
            """
            SELECT code, sqlstate, count(*)
            FROM public.dead_letters
            WHERE state = 'open' AND tenant_id = $1
            GROUP BY code, sqlstate
            ORDER BY count(*) DESC, code, sqlstate
            """, parameters: [.integer(tenant)])
        return (0..<rows.rowCount).map { row in
            LetterList.Reason(
                code: rows.string(row, 0) ?? "", sqlState: rows.string(row, 1), letters: rows.count(row, 2))
        }
    }

    private static func letters(
        _ tenant: Int32, _ code: String?, _ limit: Int, showsLines: Bool, on connection: PostgresConnection
    ) throws(PostgresError) -> [LetterList.Letter] {
        let rows = try connection.query(
            """
            SELECT
                id::text, \(time("dead_at")), \(time("received_at")), kind, quarantined, code, sqlstate, message,
                CASE WHEN $4::boolean THEN left(line, \(charactersMax)) END, octet_length(line)
            FROM public.dead_letters
            WHERE state = 'open' AND tenant_id = $1 AND ($2::text IS NULL OR code = $2)
            ORDER BY dead_at DESC, id
            LIMIT $3::bigint
            """,
            parameters: [
                .integer(tenant), code.map { .text($0) }, .integer(limit), .text(showsLines ? "t" : "f"),
            ])
        return (0..<rows.rowCount).map { row in
            LetterList.Letter(
                id: rows.string(row, 0) ?? "", deadAt: rows.string(row, 1) ?? "",
                receivedAt: rows.string(row, 2) ?? "", kind: rows.string(row, 3) ?? "",
                isQuarantined: rows.bool(row, 4) ?? false, code: rows.string(row, 5) ?? "",
                sqlState: rows.string(row, 6), message: rows.string(row, 7) ?? "", line: rows.string(row, 8),
                lineBytes: rows.int(row, 9))
        }
    }

    /// As RFC 3339, UTC.
    private static func time(_ column: String) -> String {
        "to_char(\(column) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    }
}

private struct LetterList: JSONShape {
    struct Reason: JSONShape {
        var code: String
        var sqlState: String?
        var letters: Int

        static let name = "LetterReason"

        static let fields: [JSONField<Self>] = [
            JSONField("code", \.code), JSONField("sqlstate", \.sqlState, doc: "Where PostgreSQL refused the row"),
            JSONField("letters", \.letters),
        ]
    }

    struct Letter: JSONShape {
        var id: String
        var deadAt: String
        var receivedAt: String
        var kind: String
        var isQuarantined: Bool
        var code: String
        var sqlState: String?
        var message: String
        var line: String?
        var lineBytes: Int?

        static let fields: [JSONField<Self>] = [
            JSONField("id", \.id, as: .uuid), JSONField("dead_at", \.deadAt, as: .time),
            JSONField("received_at", \.receivedAt, as: .time), JSONField("kind", \.kind),
            JSONField(
                "quarantined", \.isQuarantined, doc: "A rule set it aside; its sender was told that it is accepted"),
            JSONField("code", \.code), JSONField("sqlstate", \.sqlState), JSONField("message", \.message),
            JSONField(
                "line", \.line, doc: "Its first characters, for who may administer; null where it is not kept, too"),
            JSONField("line_bytes", \.lineBytes, doc: "Of the whole line; null: it is not kept"),
        ]
    }

    var reasons: [Reason]
    var items: [Letter]

    static let name = "DeadLetters"

    static let fields: [JSONField<Self>] = [JSONField("reasons", \.reasons), JSONField("items", \.items)]
}
