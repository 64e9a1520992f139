internal import MillracePostgres

/// Adds up in `erasures.counts` what erasures changed, in the transactions that change it: whatever ends a pass, nothing is
/// forgotten and nothing is counted twice.
struct ErasureTally {
    /// Empty: nobody is told, as for a month that comes back.
    var erasures: [String] = []

    /// In the transaction of the change.
    func add(_ counts: ErasureCounts, on connection: PostgresConnection) throws(PostgresError) {
        guard !erasures.isEmpty, !counts.isEmpty else { return }
        try connection.query(
            """
            UPDATE public.erasures
            SET counts = counts || (
                SELECT jsonb_object_agg(name, value + coalesce((counts ->> name)::bigint, 0))
                FROM unnest($2::text[], $3::bigint[]) AS c (name, value)
            )
            WHERE id = ANY ($1::uuid[])
            """,
            parameters: [
                .array(erasures), .array(counts.named.map(\.name)), .array(counts.named.map(\.count)),
            ])
    }
}
