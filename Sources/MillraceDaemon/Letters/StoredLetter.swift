internal import MillraceEvent
internal import MillracePostgres

/// An open row of `dead_letters`.
struct StoredLetter {
    var id: String
    var deadAt: String
    var spoolID: UniqueID
    var sequence: UInt64
    var kind: String
    var tenant: Int32
    var code: String
    var line: String?
    var receivedAt: Timestamp
    var batchID: Int

    /// Refused at the intake; the ledger counts it as `refused`, else as `dead`.
    var isRefused: Bool { kind == "\(RecordKind.refused)" }
    var isDeadConversation: Bool { kind == "\(RecordKind.conversation)" }

    /// Bytes of lines in a page, unless its first one is longer.
    private static let pageBytesMax = 8 << 20

    private static func condition(_ choice: LetterRetry.Choice) -> String {
        let condition = """
            state = 'open'
                AND ($1::text IS NULL OR code = $1)
                AND ($2::uuid[] IS NULL OR id = ANY ($2::uuid[]))
            """
        switch choice {
        case .all(_, let tenant?), .only(_, let tenant?): return condition + " AND tenant_id = \(tenant)"
        case .all, .only: return condition
        }
    }

    private static func parameters(_ choice: LetterRetry.Choice) -> [PostgresParameter?] {
        switch choice {
        case .all(let code, _): [code.map { .text($0) }, nil]
        case .only(let ids, _): [nil, .text("{" + ids.joined(separator: ",") + "}")]
        }
    }

    static func count(
        _ choice: LetterRetry.Choice, on connection: PostgresConnection
    ) throws(PostgresError) -> Int {
        try connection.query(
            "SELECT count(*) FROM public.dead_letters WHERE \(condition(choice))", parameters: parameters(choice)
        ).count(0, 0)
    }

    /// The next letters in order of (dead_at, id): up to `count`, or as many as their lines let.
    static func page(
        _ choice: LetterRetry.Choice, after last: StoredLetter?, count: Int, on connection: PostgresConnection
    ) throws(PostgresError) -> [StoredLetter] {
        let result = try connection.query(
            """
            SELECT
                id::text, dead_at::text, spool_id::text, sequence, kind, tenant_id, code, line,
                (EXTRACT(EPOCH FROM received_at) * 1000000)::bigint, batch_id
            FROM (
                SELECT
                    *,
                    row_number() OVER following AS number,
                    sum(COALESCE(octet_length(line), 0)) OVER following AS bytes
                FROM (
                    SELECT *
                    FROM public.dead_letters
                    WHERE \(condition(choice))
                        AND ($3::timestamptz IS NULL OR (dead_at, id) > ($3::timestamptz, $4::uuid))
                    ORDER BY dead_at, id
                    LIMIT \(count)
                ) AS letter
                WINDOW following AS (ORDER BY dead_at, id)
            ) AS letter
            WHERE number = 1 OR bytes <= \(pageBytesMax)
            ORDER BY dead_at, id
            """,
            parameters: parameters(choice) + [last.map { .text($0.deadAt) }, last.map { .text($0.id) }],
            timeout: .seconds(600))
        return (0..<result.rowCount).compactMap { row in
            guard let spoolID = result.string(row, 2).flatMap({ UniqueID($0) }) else { return nil }
            return StoredLetter(
                id: result.string(row, 0) ?? "", deadAt: result.string(row, 1) ?? "", spoolID: spoolID,
                sequence: UInt64(result.count(row, 3)), kind: result.string(row, 4) ?? "",
                tenant: Int32(result.count(row, 5)), code: result.string(row, 6) ?? "", line: result.string(row, 7),
                receivedAt: Timestamp(microseconds: Int64(result.count(row, 8))), batchID: result.count(row, 9))
        }
    }
}

/// Why a letter stays.
struct LetterRefusal {
    var letter: StoredLetter
    var code: String
    var sqlState: String?
    var message: String

    /// Writes the new reasons into the letters, in one statement. A line that has a letter of that reason already keeps both
    /// as they are.
    static func keep(_ refusals: [LetterRefusal], on connection: PostgresConnection) throws(PostgresError) {
        guard !refusals.isEmpty else { return }
        try connection.query(
            """
            UPDATE public.dead_letters AS letter
            SET code = reason.code, sqlstate = reason.sqlstate, message = reason.message
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS reason (id, code, sqlstate, message)
            WHERE letter.id = reason.id
                AND letter.state = 'open'
                AND NOT EXISTS (
                    SELECT 1
                    FROM public.dead_letters AS other
                    WHERE other.spool_id = letter.spool_id AND other.sequence = letter.sequence
                        AND other.code = reason.code AND other.id <> letter.id
                )
            """,
            parameters: [
                .array(refusals.map(\.letter.id)), .array(refusals.map(\.code)), .array(refusals.map(\.sqlState)),
                .array(refusals.map(\.message)),
            ])
    }
}
