internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// Reads ledger and tables for `verify`. Blocks; every function runs in the one transaction that `verify` opens, so all
/// of them see the same moment.
struct LedgerAudit {
    /// Examples shown of anything wrong.
    static let examplesMax = 5

    let connection: PostgresConnection
    /// For one statement; a month of a large table is read whole.
    let timeout: Duration
    /// Only batches made since then are looked at; nil: all.
    let start: Timestamp?
    /// The first batch id that is looked at.
    let firstBatchID: Int64

    /// A span of joined batches is looked at whole, so the first one may begin before `start`.
    init(connection: PostgresConnection, timeout: Duration, since start: Timestamp? = nil) throws(PostgresError) {
        self.connection = connection
        self.timeout = timeout
        self.start = start
        guard let start else {
            firstBatchID = .min
            return
        }
        let first = BatchID.first(at: start)
        let spans = try connection.execute(
            """
            SELECT batch_id, last_batch_id
            FROM public.ingest_batches
            WHERE last_batch_id IS NOT NULL AND batch_id <= \(first)
            ORDER BY batch_id DESC
            LIMIT 1
            """, timeout: timeout)
        if spans.rowCount > 0, let begin = spans.int(0, 0), let end = spans.int(0, 1), end >= first {
            firstBatchID = Int64(begin)
        } else {
            firstBatchID = first
        }
    }

    /// What `start` leaves out, for people; nil when that is nothing.
    func leftOut() throws(PostgresError) -> String? {
        guard let start else { return nil }
        let result = try connection.execute(
            """
            SELECT COALESCE(sum(batches), 0), COALESCE(sum(rows), 0)
            FROM public.ingest_batches
            WHERE batch_id < \(firstBatchID)
            """, timeout: timeout)
        let from = firstBatchID == BatchID.first(at: start) ? start : BatchID.time(of: firstBatchID)
        return "not looked at: what was written before \(from.rfc3339), which by the ledger is "
            + "\(Format.count(result.count(0, 0))) batches with \(Format.count(result.count(0, 1))) rows, and whether "
            + "rows of other batches were put among them"
    }

    /// The first sequence of `spoolID` that is looked at: of the batches since the start the lowest.
    func firstSequence(of spoolID: UniqueID) throws(PostgresError) -> UInt64? {
        guard start != nil else { return nil }
        let result = try connection.query(
            """
            SELECT COALESCE(min(first_seq) FILTER (WHERE batch_id >= \(firstBatchID)), max(last_seq) + 1)
            FROM public.ingest_batches
            WHERE spool_id = $1::uuid
            """, parameters: [.text("\(spoolID)")], timeout: timeout)
        return result.int(0, 0).flatMap(UInt64.init(exactly:))
    }

    /// The spools in the ledger.
    func spoolIDs() throws(PostgresError) -> [UniqueID] {
        let result = try connection.query(
            "SELECT DISTINCT spool_id::text FROM public.ingest_batches ORDER BY 1", timeout: timeout)
        return (0..<result.rowCount).compactMap { result.string($0, 0).flatMap { UniqueID($0) } }
    }

    /// What `ingest_spools` says of a seed's spool; nil of a daemon's.
    func seedHost(of spoolID: UniqueID) throws(PostgresError) -> String? {
        try connection.query(
            "SELECT host FROM public.ingest_spools WHERE spool_id = $1::uuid AND starts_with(host, $2)",
            parameters: [.text("\(spoolID)"), .text(PackSeed.hostPrefix)], timeout: timeout
        ).texts.first?.first
    }

    /// Sums over the batches of `spoolID` that begin between `first` and `end`, or were committed before `instant` (as the
    /// server writes it). The bounds are of those before `end` alone.
    func totals(
        of spoolID: UniqueID, from first: UInt64? = nil, before end: UInt64?, orCommittedBefore instant: String? = nil
    ) throws(PostgresError) -> LedgerTotals {
        let result = try connection.query(
            """
            SELECT
                COALESCE(sum(batches), 0),
                COALESCE(sum(rows), 0), COALESCE(sum(conversation_rows), 0),
                COALESCE(sum(duplicates), 0), COALESCE(sum(conversation_duplicates), 0),
                COALESCE(sum(dead), 0), COALESCE(sum(conversation_dead), 0),
                COALESCE(sum(refused), 0),
                COALESCE(sum(last_seq - first_seq + 1), 0)::bigint,
                COALESCE(min(first_seq) FILTER (WHERE $2::bigint IS NULL OR first_seq < $2::bigint), 0),
                COALESCE(max(last_seq) FILTER (WHERE $2::bigint IS NULL OR first_seq < $2::bigint) + 1, 0)
            FROM public.ingest_batches
            WHERE spool_id = $1::uuid AND ($2::bigint IS NULL OR first_seq < $2::bigint OR committed_at < $4::timestamptz)
                AND first_seq >= COALESCE($3::bigint, 0)
            """,
            parameters: [
                .text("\(spoolID)"), end.map { .integer($0) }, first.map { .integer($0) }, instant.map { .text($0) },
            ], timeout: timeout)
        return LedgerTotals(
            batches: result.count(0, 0),
            rows: .init(all: result.count(0, 1), conversations: result.count(0, 2)),
            duplicates: .init(all: result.count(0, 3), conversations: result.count(0, 4)),
            dead: .init(all: result.count(0, 5), conversations: result.count(0, 6)),
            refused: result.count(0, 7),
            sequences: result.count(0, 8),
            firstSequence: UInt64(result.count(0, 9)),
            endSequence: UInt64(result.count(0, 10))
        )
    }

    /// The sequences between the batches of `spoolID` that begin at `first` or after it, in order.
    func holes(of spoolID: UniqueID, from first: UInt64? = nil) throws(PostgresError) -> [Range<UInt64>] {
        let result = try connection.query(
            """
            SELECT last_seq + 1, next_seq
            FROM (
                SELECT last_seq, lead(first_seq) OVER (ORDER BY first_seq) AS next_seq
                FROM public.ingest_batches
                WHERE spool_id = $1::uuid AND first_seq >= COALESCE($2::bigint, 0)
            ) AS neighbours
            WHERE next_seq > last_seq + 1
            ORDER BY 1
            """,
            parameters: [.text("\(spoolID)"), first.map { .integer($0) }], timeout: timeout)
        return (0..<result.rowCount).map { row in
            UInt64(result.count(row, 0))..<UInt64(result.count(row, 1))
        }
    }

    /// First sequences of the runs of `spoolID` that have reached this database, in order.
    func runStarts(of spoolID: UniqueID) throws(PostgresError) -> [UInt64] {
        guard try connection.hasRelation("public.ingest_runs", timeout: timeout) else { return [] }
        let result = try connection.query(
            "SELECT first_seq FROM public.ingest_runs WHERE spool_id = $1::uuid ORDER BY 1",
            parameters: [.text("\(spoolID)")], timeout: timeout)
        return (0..<result.rowCount).map { UInt64(result.count($0, 0)) }
    }

    /// Batches whose sequences another batch of the same spool has too.
    func overlaps() throws(PostgresError) -> CheckResult {
        let result = try connection.query(
            """
            SELECT spool_id::text, first_seq, last_seq, next_seq, count(*) OVER ()
            FROM (
                SELECT
                    spool_id, first_seq, last_seq,
                    lead(first_seq) OVER (PARTITION BY spool_id ORDER BY first_seq) AS next_seq
                FROM public.ingest_batches
            ) AS neighbours
            WHERE next_seq <= last_seq
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let examples = result.texts.map { "\($0[0]) \($0[1])…\($0[2]) and \($0[3])…" }
        return CheckResult(
            "no sequence is in two batches",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "no overlaps" : "\(result.count(0, 4)) overlaps: \(examples.joined(separator: "; "))",
            fix: "The same lines may be in twice: compare the rows of these batches, and stop every second daemon.")
    }

    /// Batches whose counts do not add up to their sequences.
    func sums() throws(PostgresError) -> CheckResult {
        let result = try connection.query(
            """
            SELECT batch_id, count(*) OVER ()
            FROM public.ingest_batches
            WHERE rows::bigint + duplicates + dead + refused + skipped <> last_seq - first_seq + 1
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let examples = result.texts.map { $0[0] }
        return CheckResult(
            "every batch adds up",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "rows + duplicates + dead + refused + skipped = sequences"
                : "\(result.count(0, 1)) do not: batches \(examples.joined(separator: ", "))",
            fix: "The ledger was changed by hand; restore these rows from a backup.")
    }

    /// Stretches of a spool that could not be read back: acknowledged lines are lost, until somebody has purged their
    /// letters, and so knows.
    func damages() throws(PostgresError) -> CheckResult {
        let result = try connection.query(
            """
            SELECT message, count(*) OVER (), sum(lines) OVER ()
            FROM public.dead_letters
            WHERE code = 'spool_damage' AND state = 'open'
            ORDER BY dead_at DESC
            LIMIT \(Self.examplesMax)
            """, timeout: timeout)
        let examples = result.texts.map { $0[0] }
        return CheckResult(
            "every acknowledged line could be read back",
            ok: result.rowCount == 0,
            detail: result.rowCount == 0
                ? "no open dead letters of damage"
                : "\(result.count(0, 2)) acknowledged lines are LOST in \(result.count(0, 1)) damaged places: "
                    + examples.joined(separator: "; "),
            fix:
                "Send these lines again from where they came, if that still has them (the damaged bytes are kept where the "
                + "letter says); then `millrace dead-letters purge --code spool_damage --older-than 1s --yes` acknowledges "
                + "the loss.")
    }

    /// Damaged places whose loss was acknowledged.
    func acknowledgedDamages() throws(PostgresError) -> Int {
        try connection.query(
            "SELECT count(*) FROM public.dead_letters WHERE code = 'spool_damage' AND state <> 'open'", timeout: timeout
        ).count(0, 0)
    }

    /// Ids of events that stand at more than one time.
    func repeatedIDs() throws(PostgresError) -> Int {
        let result = try connection.query(
            """
            SELECT count(*)
            FROM (SELECT id FROM public.analytics_events GROUP BY tenant_id, id HAVING count(*) > 1) AS repeated
            """, timeout: timeout)
        return result.count(0, 0)
    }
}

/// Sums over one spool's rows of the ledger.
struct LedgerTotals: Equatable {
    /// Rows, duplicates and dead lines; the conversations' part of each.
    struct Counts: Equatable {
        var all = 0
        var conversations = 0

        var events: Int { all - conversations }
    }

    var batches = 0
    var rows = Counts()
    var duplicates = Counts()
    var dead = Counts()
    var refused = 0
    /// Sequences covered, as the rows' bounds say.
    var sequences = 0
    var firstSequence: UInt64 = 0
    /// One after the last.
    var endSequence: UInt64 = 0
}
