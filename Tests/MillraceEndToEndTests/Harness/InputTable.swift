import MillracePostgres
import MillraceTestSupport

/// The lines that were sent, as PostgreSQL itself reads them, beside the tables that they should be in.
struct InputTable {
    private let connection: PostgresConnection

    /// Loads lines of JSON, each ended by `\n`, into a temporary table.
    init(_ lines: [UInt8], database: TestDatabase) throws {
        connection = try database.connect(applicationName: "test input")
        // Sets are compared in memory: by files it takes several times as long.
        try connection.execute("SET work_mem = '256MB'")
        try connection.execute("CREATE TEMPORARY TABLE input (line jsonb NOT NULL)")
        let escaped = Self.escaped(lines)
        _ = try connection.copyIn(
            "COPY input FROM STDIN WITH (FORMAT text)", format: .text, timeout: .seconds(300)
        ) { (copy) throws(PostgresError) in try copy.write(escaped) }
        try connection.execute("ANALYZE input", timeout: .seconds(60))
    }

    /// For COPY's text format, which gives backslash and carriage return a meaning of their own.
    private static func escaped(_ lines: [UInt8]) -> [UInt8] {
        var escaped: [UInt8] = []
        escaped.reserveCapacity(lines.count + lines.count / 8)
        for byte in lines {
            switch byte {
            case UInt8(ascii: "\\"): escaped += [byte, byte]
            case UInt8(ascii: "\r"): escaped += Array("\\r".utf8)
            case UInt8(ascii: "\t"): escaped += Array("\\t".utf8)
            default: escaped.append(byte)
            }
        }
        return escaped
    }

    /// Lines of either kind, in pieces of SQL: what a line says, and the column that must say the same.
    private static let event = [
        (line: "(line ->> 'id')::uuid", column: "id"),
        (line: "line ->> 'event_type'", column: "event_type"),
        (line: "(line ->> 'user_id')::uuid", column: "user_id"),
        (line: "COALESCE(line -> 'payload', '{}')::text", column: "payload::text"),
        (
            line: """
            CASE jsonb_typeof(line -> 'created_at')
                WHEN 'number' THEN 'epoch'::timestamptz
                    + ((line ->> 'created_at')::numeric * 1000)::bigint * interval '1 microsecond'
                ELSE (line ->> 'created_at')::timestamptz
            END
            """, column: "created_at"
        ),
    ]
    private static let conversation = [
        (line: "line ->> 'conversation_id'", column: "conversation_id"),
        (line: "line ->> 'question'", column: "question"),
        (line: "line ->> 'response'", column: "response"),
        (line: "(line ->> 'user_id')::uuid", column: "user_id"),
        (line: "COALESCE(line ->> 'source', 'unknown')", column: "source"),
        (line: "COALESCE(line -> 'metadata', '{}')::text", column: "metadata::text"),
        (line: "(line ->> 'timestamp')::timestamptz", column: "created_at"),
    ]

    /// Event lines without a row that says the same in every field that the line gives. A text compares the digits of
    /// numbers too, which jsonb's own equality does not.
    func missingEvents() throws -> Int {
        try missing(
            Self.event, of: "public.analytics_events", isMeant: "line ? 'event_type'", optional: ["id", "created_at"])
    }

    func missingConversations() throws -> Int {
        try missing(
            Self.conversation, of: "public.conversations", isMeant: "NOT line ? 'event_type'",
            optional: ["created_at"])
    }

    /// Rows that no line of the input says.
    func foreignEvents() throws -> Int {
        try foreign(
            Self.event, of: "public.analytics_events", isMeant: "line ? 'event_type'", optional: ["id", "created_at"])
    }

    func foreignConversations() throws -> Int {
        try foreign(
            Self.conversation, of: "public.conversations", isMeant: "NOT line ? 'event_type'",
            optional: ["created_at"])
    }

    private typealias Field = (line: String, column: String)

    /// One comparison for each set of optional fields that lines give.
    private func missing(_ fields: [Field], of table: String, isMeant: String, optional: [String]) throws -> Int {
        try Self.subsets(optional).reduce(0) { total, given in
            let compared = fields.filter { !optional.contains($0.column) || given.contains($0.column) }
            let conditions = fields.filter { optional.contains($0.column) }.map { field in
                "(\(field.line)) IS \(given.contains(field.column) ? "NOT NULL" : "NULL")"
            }
            return total
                + (try count(
                    """
                    SELECT \(compared.map(\.line).joined(separator: ", "))
                    FROM input
                    WHERE \(([isMeant] + conditions).joined(separator: " AND "))
                    EXCEPT ALL
                    SELECT \(compared.map(\.column).joined(separator: ", ")) FROM \(table)
                    """))
        }
    }

    private func foreign(_ fields: [Field], of table: String, isMeant: String, optional: [String]) throws -> Int {
        let compared = fields.filter { !optional.contains($0.column) }
        return try count(
            """
            SELECT \(compared.map(\.column).joined(separator: ", ")) FROM \(table)
            EXCEPT ALL
            SELECT \(compared.map(\.line).joined(separator: ", ")) FROM input WHERE \(isMeant)
            """)
    }

    private func count(_ query: String) throws -> Int {
        let result = try connection.execute("SELECT count(*) FROM (\(query)) AS difference", timeout: .seconds(300))
        return result.int(0, 0) ?? 0
    }

    private static func subsets(_ names: [String]) -> [[String]] {
        names.reduce([[]]) { subsets, name in subsets + subsets.map { $0 + [name] } }
    }
}
