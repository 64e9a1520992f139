internal import MillraceConsole
internal import MillracePostgres
internal import MillraceTelemetry

/// A row of `public.audit_log`, as the server prints it.
struct AuditEntry {
    let id: Int
    /// For people, in one line.
    let text: String
    /// An object in one line.
    let json: String
}

/// Which rows of the log are wanted.
struct AuditPage {
    let since: Age?
    /// How their actions begin.
    let action: String?
    /// Above their ids.
    let before: Int?
    let limit: Int

    private static let columns = """
        id,
        to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
        action, object, actor, actor_kind, database_role, origin, before::text, after::text,
        jsonb_build_object(
            'id', id, 'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'action', action,
            'object', object, 'actor', actor, 'actor_kind', actor_kind, 'database_role', database_role,
            'origin', origin, 'before', before, 'after', after
        )::text
        """

    /// The newest `limit` rows, oldest first. Blocks.
    func read(on connection: PostgresConnection) throws(PostgresError) -> [AuditEntry] {
        try Self.entries(
            connection.query(
                """
                SELECT \(Self.columns)
                FROM (
                    SELECT *
                    FROM public.audit_log
                    WHERE ($1::bigint IS NULL OR at >= now() - $1::bigint * interval '1 second')
                        AND ($2::text IS NULL OR starts_with(action, $2))
                        AND ($3::bigint IS NULL OR id < $3)
                    ORDER BY id DESC
                    LIMIT $4::bigint
                ) AS newest
                ORDER BY id
                """,
                parameters: [
                    since.map { .integer($0.seconds) }, action.map { .text($0) }, before.map { .integer($0) },
                    .integer(limit),
                ], timeout: .seconds(60)))
    }

    /// All rows above `id` that are none of `known`, oldest first. Blocks.
    func read(
        after id: Int, except known: Set<Int>, on connection: PostgresConnection
    ) throws(PostgresError) -> [AuditEntry] {
        try Self.entries(
            connection.query(
                """
                SELECT \(Self.columns)
                FROM public.audit_log
                WHERE id > $1::bigint AND id <> ALL ($2::bigint[])
                    AND ($3::text IS NULL OR starts_with(action, $3))
                ORDER BY id
                LIMIT 10000
                """,
                parameters: [.integer(id), .array(Array(known)), action.map { .text($0) }], timeout: .seconds(60)))
    }

    private static func entries(_ result: borrowing PostgresResult) -> [AuditEntry] {
        (0..<result.rowCount).map { row in
            AuditEntry((0..<11).map { result.string(row, $0) })
        }
    }
}

extension AuditEntry {
    /// Of the columns of `AuditPage`; nil is NULL.
    fileprivate init(_ columns: [String?]) {
        let values = columns.map { $0 ?? "" }
        id = Int(values[0]) ?? 0
        var line = "\(values[0])  \(values[1])  \(values[2])  \(values[3])  by \(values[4])"
        if values[5] != AuditActor.Kind.system.rawValue { line += " (\(values[5]))" }
        line += ", as \(values[6]), from \(values[7])"
        if let before = columns[8] { line += "  before \(before)" }
        if let after = columns[9] { line += "  after \(after)" }
        text = TerminalText.line(line)
        json = values[10]
    }
}
