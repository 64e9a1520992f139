internal import MillracePostgres

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
