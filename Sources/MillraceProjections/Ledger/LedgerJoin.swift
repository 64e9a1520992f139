package import MillraceEvent
package import MillracePostgres

/// Joins old neighbours in the ledger, so that it does not keep a row a batch for ever. Blocks; the connection must
/// be idle, or in no transaction at least.
///
/// Enters: plain rows of all spools that were committed longer ago than `age`. Leaves: joined rows, as `LedgerJoinPlan`
/// says. The sums stay what they were, so the conservation law holds before, during and after.
///
/// A portion is a transaction of its own, and one joins at a time: `AdvisoryLock.ledger`. A rebuild, which marks rows one
/// by one, is not beside it. Writers don't wait: they only add rows, and read the last one. Whoever retries a dead letter
/// may find its row gone, and looks again.
///
/// Crash: the portion is rolled back. Failover: what the standby lacks, it lacks as a whole.
package struct LedgerJoin {
    /// Rows of a transaction.
    private static let portionRows = 10_000

    private let connection: PostgresConnection
    private let age: Duration
    private let portionRows: Int
    private let linesMax: Int
    private let timeout: Duration
    /// Plain rows up to this id were looked at.
    private var last: Int64
    /// Whether all of the ledger was looked at.
    package private(set) var isAtEnd = false

    /// How far another daemon's clock may be ahead of this one's.
    private static let skewMax = Duration.seconds(300)

    /// - Parameters:
    ///   - age: of the youngest rows that are joined.
    ///   - start: batches that were made earlier were looked at before; nil: none.
    package init(
        connection: PostgresConnection, age: Duration, from start: Timestamp? = nil, timeout: Duration = .seconds(600)
    ) {
        self.init(
            connection: connection, age: age, portionRows: Self.portionRows, linesMax: LedgerJoinPlan.linesMax,
            timeout: timeout)
        if let start { last = BatchID.first(at: start) - 1 }
    }

    /// With other bounds, for tests.
    init(connection: PostgresConnection, age: Duration, portionRows: Int, linesMax: Int, timeout: Duration) {
        self.connection = connection
        self.age = age
        self.portionRows = portionRows
        self.linesMax = linesMax
        self.timeout = timeout
        last = .min
    }

    /// Joins the next portion.
    ///
    /// - Returns: rows that the ledger has fewer. 0 too when someone else joins or rebuilds.
    @discardableResult
    package mutating func joinPortion() throws(PostgresError) -> Int {
        var next: Int64?
        let removed = try connection.transaction(timeout: timeout) { () throws(PostgresError) -> Int in
            guard try lock() else { return 0 }
            let versions = try versionIDs()
            var entries = try plainRows(versions)
            // The rest of a full portion comes next; twins of an id stay together.
            if entries.count == portionRows, let end = entries.last?.batchIDs {
                if let cut = entries.firstIndex(where: { $0.batchIDs == end }), cut > 0, cut < entries.count - 1 {
                    entries.removeSubrange(cut...)
                }
                next = entries.last?.batchIDs.upperBound
            }
            guard let first = entries.first, let end = entries.last else { return 0 }
            entries += try spans(
                from: first.batchIDs.lowerBound, to: end.batchIDs.upperBound, versions)
            entries.sort(by: LedgerEntry.precedes)
            return try join(LedgerJoinPlan(entries, linesMax: linesMax).joins)
        }
        if let next { last = next } else { isAtEnd = true }
        return removed
    }

    /// Takes the lock until the transaction ends; false when someone else has it.
    private func lock() throws(PostgresError) -> Bool {
        // Who waits for a row does so shorter than the server looks for deadlocks: the other one goes on.
        let answer = try connection.execute(
            """
            SET LOCAL lock_timeout = 500;
            SET LOCAL jit = off;
            SELECT pg_try_advisory_xact_lock(\(AdvisoryLock.ledger.rawValue), 0)
                AND pg_try_advisory_xact_lock_shared(\(AdvisoryLock.projections.rawValue), 1)
            """)
        return answer.bool(0, 0) == true
    }

    private static let columns = """
        spool_id, first_seq, last_seq, batch_id, last_batch_id, array_to_string(folded, ','),
        rows::bigint + duplicates + dead + refused
        """

    /// Ids of the versions that exist: `folded` may name others, which were removed since.
    private func versionIDs() throws(PostgresError) -> Set<Int> {
        let rows = try connection.execute("SELECT id FROM projections.versions", timeout: timeout)
        return Set((0..<rows.rowCount).compactMap { rows.int($0, 0) })
    }

    private func plainRows(_ versions: Set<Int>) throws(PostgresError) -> [LedgerEntry] {
        // What is younger by its id is so by its commit: the row need not be looked at.
        let end = BatchID.first(at: Timestamp.now.advanced(by: Self.skewMax - age))
        let rows = try connection.execute(
            """
            SELECT \(Self.columns)
            FROM public.ingest_batches
            WHERE last_batch_id IS NULL AND batch_id > \(last) AND batch_id < \(end)
                AND committed_at < now() - interval '\(Int(age / .milliseconds(1))) milliseconds'
            ORDER BY batch_id
            LIMIT \(portionRows)
            """, timeout: timeout)
        return Self.entries(rows, versions)
    }

    /// The joined rows of all spans that lie between two ids, and of the last one before.
    private func spans(
        from first: Int64, to last: Int64, _ versions: Set<Int>
    ) throws(PostgresError) -> [LedgerEntry] {
        let rows = try connection.execute(
            """
            SELECT \(Self.columns)
            FROM public.ingest_batches
            WHERE last_batch_id IS NOT NULL AND batch_id <= \(last)
                AND batch_id >= COALESCE(
                    (
                        SELECT batch_id
                        FROM public.ingest_batches
                        WHERE last_batch_id IS NOT NULL AND batch_id <= \(first)
                        ORDER BY batch_id DESC
                        LIMIT 1
                    ),
                    \(first)
                )
            """, timeout: timeout)
        return Self.entries(rows, versions)
    }

    private static func entries(_ rows: borrowing PostgresResult, _ versions: Set<Int>) -> [LedgerEntry] {
        var entries: [LedgerEntry] = []
        for row in 0..<rows.rowCount {
            guard let first = rows.int(row, 1), let last = rows.int(row, 2), first <= last,
                let batchID = rows.int(row, 3)
            else { continue }
            let end = rows.int(row, 4)
            let folded = (rows.string(row, 5) ?? "").split(separator: ",").compactMap { Int($0) }
            let known = folded.filter(versions.contains).sorted().map(String.init).joined(separator: ",")
            entries.append(
                LedgerEntry(
                    spool: rows.string(row, 0) ?? "", sequences: Int64(first)...Int64(last),
                    batchIDs: Int64(batchID)...Int64(max(batchID, end ?? batchID)), isJoined: end != nil,
                    folded: "{\(known)}", lines: rows.int(row, 6) ?? 0))
        }
        return entries
    }

    private func join(_ joins: [LedgerJoinPlan.Join]) throws(PostgresError) -> Int {
        guard !joins.isEmpty else { return 0 }
        let values = joins.map { join in
            "('\(join.spool)'::uuid, \(join.sequences.lowerBound)::bigint, \(join.sequences.upperBound)::bigint, "
                + "\(join.span.lowerBound)::bigint, \(join.span.upperBound)::bigint, '\(join.folded)'::integer[])"
        }
        let answer = try connection.execute(
            """
            WITH wanted (spool_id, first_seq, last_seq, first_batch_id, last_batch_id, folded) AS (
                VALUES \(values.joined(separator: ",\n"))
            ),
            gone AS (
                DELETE FROM public.ingest_batches AS batch
                USING wanted
                WHERE batch.spool_id = wanted.spool_id
                    AND batch.first_seq BETWEEN wanted.first_seq AND wanted.last_seq
                RETURNING
                    batch.*, wanted.first_batch_id, wanted.last_batch_id AS end_batch_id,
                    wanted.first_seq AS island, wanted.folded AS versions
            ),
            made AS (
                INSERT INTO public.ingest_batches (
                    spool_id, first_seq, last_seq, batch_id, last_batch_id, batches, rows, duplicates, dead, refused,
                    skipped, conversation_rows, conversation_duplicates, conversation_dead, dropped, committed_at,
                    folded
                )
                SELECT
                    spool_id, min(first_seq), max(last_seq), first_batch_id, end_batch_id, sum(batches), sum(rows),
                    sum(duplicates), sum(dead), sum(refused), sum(skipped), sum(conversation_rows),
                    sum(conversation_duplicates), sum(conversation_dead), sum(dropped), max(committed_at), versions
                FROM gone
                GROUP BY spool_id, island, first_batch_id, end_batch_id, versions
                RETURNING 1
            )
            SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM made)
            """, timeout: timeout)
        return (answer.int(0, 0) ?? 0) - (answer.int(0, 1) ?? 0)
    }
}
