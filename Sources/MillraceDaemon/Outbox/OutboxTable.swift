import MillracePostgres

/// The statements on `public.outbox`, over one session. Blocks.
struct OutboxTable {
    /// Bytes of lines taken at a time; the row that exceeds it is the last one.
    private static let bytesMax = 4 << 20

    let connection: PostgresConnection

    /// True when this session is, or was already, the one that empties the outbox. Held as long as the session.
    func lock() throws(PostgresError) -> Bool {
        try connection.execute("SELECT pg_try_advisory_lock(\(AdvisoryLock.outbox.rawValue), 0)").bool(0, 0) ?? false
    }

    /// The first rows in order of (created_at, id): at most `count`, and not many more bytes than `bytesMax`. PostgreSQL
    /// makes the lines, so that texts are quoted as its own jsonb is. What is longer than `lineBytesMax` comes cut, and
    /// without its payload where that is surely above `payloadTextBytesMax`.
    func first(_ count: Int, lineBytesMax: Int, payloadTextBytesMax: Int) throws(PostgresError) -> [OutboxRow] {
        let result = try connection.query(
            """
            WITH taken AS (
                SELECT
                    id,
                    created_at,
                    tenant_id,
                    json_build_object(
                        'id', id,
                        'event_type', event_type,
                        'user_id', user_id,
                        'created_at', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                        'payload', readable
                    )::text AS line,
                    readable IS NULL AS is_unread
                FROM (
                    SELECT *, \(PrintedSize.guarded("payload", bytesMax: payloadTextBytesMax)) AS readable
                    FROM public.outbox
                    ORDER BY created_at, id, tenant_id
                    LIMIT $1
                ) AS row
            ),
            measured AS (
                SELECT
                    *,
                    octet_length(line) AS line_bytes,
                    sum(octet_length(line)) OVER (ORDER BY created_at, id, tenant_id) - octet_length(line) AS bytes_before
                FROM taken
            )
            SELECT
                id,
                created_at,
                tenant_id,
                CASE WHEN line_bytes > $2 THEN left(line, $2 / 4) ELSE line END,
                line_bytes,
                is_unread
            FROM measured
            WHERE bytes_before < $3
            ORDER BY created_at, id, tenant_id
            """,
            parameters: [.integer(count), .integer(lineBytesMax), .integer(Self.bytesMax)])
        return (0..<result.rowCount).map { row in
            OutboxRow(
                id: result.string(row, 0) ?? "", createdAt: result.string(row, 1) ?? "",
                tenant: Int32(result.int(row, 2) ?? 0), line: result.string(row, 3) ?? "",
                isUnread: result.bool(row, 5) ?? false, lineBytes: result.int(row, 4) ?? 0)
        }
    }

    /// Whether `rows`, the answer to `first(count…)`, may not be all that there were.
    static func isCut(_ rows: [OutboxRow], at count: Int) -> Bool {
        rows.count >= count || rows.reduce(0) { $0 + $1.lineBytes } >= bytesMax
    }

    /// Deletes exactly these rows, and returns how many of them there were.
    func delete(_ rows: [OutboxRow]) throws(PostgresError) -> Int {
        try connection.query(
            """
            DELETE FROM public.outbox AS row
            USING unnest($1::timestamptz[], $2::uuid[], $3::integer[]) AS written (created_at, id, tenant_id)
            WHERE row.created_at = written.created_at AND row.id = written.id AND row.tenant_id = written.tenant_id
            """,
            parameters: [
                .text("{" + rows.map { "\"\($0.createdAt)\"" }.joined(separator: ",") + "}"),
                .text("{" + rows.map(\.id).joined(separator: ",") + "}"), .array(rows.map(\.tenant)),
            ]
        ).affectedRows
    }

    func count() throws(PostgresError) -> Int {
        try connection.execute("SELECT count(*) FROM public.outbox").int(0, 0) ?? 0
    }
}

/// One row of `public.outbox`, as a line of the spool.
struct OutboxRow {
    /// With `createdAt` and `tenant`, the row's key; both as PostgreSQL writes them.
    var id: String
    var createdAt: String
    var tenant: Int32
    /// The event in Millrace's format, or its first bytes when it is too long to be one.
    var line: String
    /// Whether the payload is too large to be read; the line has null in its place.
    var isUnread: Bool
    /// Length of the whole line in UTF-8.
    var lineBytes: Int
}
