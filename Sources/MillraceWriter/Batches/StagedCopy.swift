import MillraceEvent
import MillracePostgres

/// The careful way of one leaf's rows into their table, inside the batch's transaction: COPY into a temporary stage,
/// then `INSERT … ON CONFLICT DO NOTHING` of the first row of each identity. A row that the database refuses for good is
/// found by halving the range, each half after a savepoint; deferred constraints are checked there too. A row that a
/// trigger kept out without an error is found by looking whether it is there.
struct StagedCopy {
    /// A row the database does not take, with its reason.
    struct RefusedRow {
        var sequence: UInt64
        /// Of the dead letter.
        var code: String
        var sqlState: String?
        var constraint: String?
        var message: String

        init(
            sequence: UInt64, code: String = DeadLetter.databaseCode, sqlState: String? = nil,
            constraint: String? = nil, message: String
        ) {
            self.sequence = sequence
            self.code = code
            self.sqlState = sqlState
            self.constraint = constraint
            self.message = message
        }

        /// Of a month that has no table; nil where it has one.
        init?(sequence: UInt64, month: String, place: LeafPartitions.Place) {
            switch place {
            case .table: return nil
            case .retired:
                self.init(
                    sequence: sequence, code: DeadLetter.monthRetiredCode,
                    message: """
                        the month \(month) was detached or is retired: `millrace partitions list` says which, and what brings \
                        it back
                        """)
            case .unacceptable:
                self.init(
                    sequence: sequence, code: DeadLetter.monthUnacceptableCode,
                    message:
                        "the month \(month) is too far from now; the clock of this host was wrong when the line came")
            }
        }
    }

    /// Rows that are made for the stage before they are sent: a copy of all would double the batch.
    private static let rowsAtOnce = 256

    private let connection: PostgresConnection
    private let table: String
    private let partitions: LeafPartitions
    private let care: BatchCare
    /// Sequences whose row was there before, or earlier in the batch.
    private(set) var duplicates: [UInt64] = []
    private(set) var refused: [RefusedRow] = []
    /// The first error that refused rows.
    private(set) var refusal: PostgresError?
    private(set) var insertedCount = 0

    init(connection: PostgresConnection, table: String, partitions: LeafPartitions, care: BatchCare) {
        self.connection = connection
        self.table = table
        self.partitions = partitions
        self.care = care
    }

    /// Copies all rows of `leaf`. Throws what is no fault of a row.
    mutating func copy(_ leaf: EncodedLeaf) throws {
        try makeStage(leaf)
        // Halves still to do, the next one last, so that the stack stays as deep as the tree.
        var ranges = [0..<leaf.count]
        while let range = ranges.popLast() {
            do {
                try copy(leaf, range)
            } catch let error as PostgresError where isOfRows(error, leaf, range) {
                try connection.execute("ROLLBACK TO SAVEPOINT millrace_stage; RELEASE SAVEPOINT millrace_stage")
                if range.count == 1 {
                    refuse(leaf, range, error)
                } else {
                    let middle = range.lowerBound + range.count / 2
                    ranges += [middle..<range.upperBound, range.lowerBound..<middle]
                }
            }
        }
    }

    private func makeStage(_ leaf: EncodedLeaf) throws {
        do {
            try connection.execute(
                """
                CREATE TEMPORARY TABLE IF NOT EXISTS \(leaf.key.stage)
                ON COMMIT DELETE ROWS
                AS SELECT 0::bigint AS sequence, \(leaf.key.columns) FROM \(leaf.key.parent) WITH NO DATA
                """
            )
        } catch var error {
            if error.sqlState == .insufficientPrivilege {
                error.hint =
                    "GRANT TEMPORARY ON DATABASE (that of database.url) TO (its role); batches with repeats want it."
            }
            throw error
        }
    }

    /// Whether halving the range leads to the rows at fault.
    private func isOfRows(_ error: PostgresError, _ leaf: EncodedLeaf, _ range: Range<Int>) -> Bool {
        guard error.code == .serverError else { return false }
        switch error.category {
        case .poison, .duplicate: return care.isCareful(after: error)
        case .missingPartition: return range.contains { monthRefusal(of: $0, in: leaf) != nil }
        case .retry, .retryWithAlarm, .stop: return false
        }
    }

    /// Of a row whose leaf does not tell its month.
    private func monthRefusal(of row: Int, in leaf: EncodedLeaf) -> RefusedRow? {
        guard leaf.key.needsEventID, let month = leaf.month(ofRow: row) else { return nil }
        return RefusedRow(
            sequence: leaf.sequences(of: row..<row + 1)[0], month: "\(month)",
            place: partitions.place(of: month, in: leaf.key.table))
    }

    private mutating func refuse(_ leaf: EncodedLeaf, _ range: Range<Int>, _ error: PostgresError) {
        if error.category == .missingPartition, let row = monthRefusal(of: range.lowerBound, in: leaf) {
            refused.append(row)
            return
        }
        refusal = refusal ?? error
        refused.append(
            RefusedRow(
                sequence: leaf.sequences(of: range)[0], sqlState: error.sqlState?.rawValue,
                constraint: error.constraint, message: error.message))
    }

    private mutating func copy(_ leaf: EncodedLeaf, _ range: Range<Int>) throws {
        try connection.execute("SAVEPOINT millrace_stage")
        _ = try connection.copyIn("COPY \(leaf.key.stage) (sequence, \(leaf.key.columns)) FROM STDIN (FORMAT binary)") {
            (copy) throws(PostgresError) in
            for first in stride(from: range.lowerBound, to: range.upperBound, by: Self.rowsAtOnce) {
                try copy.write(leaf.stagingRows(first..<min(first + Self.rowsAtOnce, range.upperBound)))
            }
        }
        let inserted = try connection.execute(leaf.key.needsEventID ? identifiedInsert(leaf) : insert(leaf))
        let isNew = Self.sequences(inserted)
        if let total = inserted.int(0, 1), total != isNew.count {
            throw PostgresError(
                code: .rowsKeptOut, message: "a trigger on \(table) changes id, created_at or tenant_id of rows",
                hint: "Drop that trigger: by these three an event is known again when it comes twice.")
        }
        let others = leaf.sequences(of: range).filter { !isNew.contains($0) }
        // Citus has no triggers on these tables, and takes no such question.
        let keptOut = others.isEmpty || connection.hasCitus ? [] : try findKeptOut(leaf)
        try connection.execute(
            """
            SET CONSTRAINTS ALL IMMEDIATE;
            DELETE FROM \(leaf.key.stage);
            RELEASE SAVEPOINT millrace_stage
            """)
        insertedCount += isNew.count
        for sequence in others {
            if keptOut.contains(sequence) { refuseKeptOut(sequence) } else { duplicates.append(sequence) }
        }
    }

    private static func sequences(_ rows: borrowing PostgresResult) -> Set<UInt64> {
        var sequences = Set<UInt64>(minimumCapacity: rows.rowCount)
        for row in 0..<rows.rowCount {
            if let sequence = rows.int(row, 0).flatMap({ UInt64(exactly: $0) }) { sequences.insert(sequence) }
        }
        return sequences
    }

    private mutating func refuseKeptOut(_ sequence: UInt64) {
        let error = PostgresError(
            code: .rowsKeptOut, message: "a trigger on \(table) kept the row out, without an error")
        refusal = refusal ?? error
        refused.append(RefusedRow(sequence: sequence, message: error.message))
    }

    /// Rows of the stage that are not in the table, neither by the insert nor from before.
    private func findKeptOut(_ leaf: EncodedLeaf) throws -> Set<UInt64> {
        guard leaf.key.needsEventID else {
            return Self.sequences(
                try connection.execute(
                    """
                    SELECT staged.sequence
                    FROM \(leaf.key.stage) AS staged
                    WHERE NOT EXISTS (
                        SELECT FROM \(table) AS there
                        WHERE there.created_at = staged.created_at AND there.id = staged.id
                            AND there.tenant_id = staged.tenant_id
                    )
                    """))
        }
        // An id that was known before this transaction is a repeat, even where its row is gone with its month.
        return Self.sequences(
            try connection.execute(
                """
                WITH kept_out AS (
                    SELECT known.id, known.tenant_id
                    FROM public.event_ids AS known
                    WHERE known.seen_at = now()
                        AND (known.id, known.tenant_id) IN (SELECT id, tenant_id FROM \(leaf.key.stage))
                        AND NOT EXISTS (
                            SELECT FROM \(table) AS there
                            WHERE there.created_at = known.created_at AND there.id = known.id
                                AND there.tenant_id = known.tenant_id
                        )
                ), forgotten AS (
                    DELETE FROM public.event_ids
                    WHERE (id, tenant_id) IN (SELECT id, tenant_id FROM kept_out)
                )
                SELECT sequence
                FROM \(leaf.key.stage)
                WHERE (id, tenant_id) IN (SELECT id, tenant_id FROM kept_out)
                """))
    }

    /// Rows whose identity is (created_at, id, tenant_id). In the key's order, so that two writers with the same identities wait for
    /// each other instead of deadlocking.
    private func insert(_ leaf: EncodedLeaf) -> String {
        """
        WITH firsts AS MATERIALIZED (
            SELECT DISTINCT ON (created_at, id, tenant_id) *
            FROM \(leaf.key.stage)
            ORDER BY created_at, id, tenant_id, sequence
        ), inserted AS (
            INSERT INTO \(table) (\(leaf.key.columns))
            SELECT \(leaf.key.columns)
            FROM firsts
            ORDER BY created_at, id, tenant_id
            ON CONFLICT (created_at, id, tenant_id) DO NOTHING
            RETURNING created_at, id, tenant_id
        )
        SELECT new.sequence, total.count
        FROM (SELECT count(*) FROM inserted) AS total
        LEFT JOIN (SELECT sequence FROM firsts JOIN inserted USING (created_at, id, tenant_id)) AS new ON true
        """
    }

    /// Rows that came with an id but without any time: `event_ids` decides who was first. They were received in one
    /// month or another, so they go through the parent.
    private func identifiedInsert(_ leaf: EncodedLeaf) -> String {
        """
        WITH firsts AS MATERIALIZED (
            SELECT DISTINCT ON (id, tenant_id) *
            FROM \(leaf.key.stage)
            ORDER BY id, tenant_id, sequence
        ), known AS (
            INSERT INTO public.event_ids (id, tenant_id, created_at)
            SELECT id, tenant_id, created_at
            FROM firsts
            ORDER BY id, tenant_id
            ON CONFLICT (id, tenant_id) DO NOTHING
            RETURNING id, tenant_id
        ), inserted AS (
            INSERT INTO \(table) (\(leaf.key.columns))
            SELECT \(leaf.key.columns)
            FROM firsts JOIN known USING (id, tenant_id)
            ON CONFLICT (created_at, id, tenant_id) DO NOTHING
            RETURNING id, tenant_id
        )
        SELECT new.sequence, total.count
        FROM (SELECT count(*) FROM inserted) AS total
        LEFT JOIN (SELECT sequence FROM firsts JOIN inserted USING (id, tenant_id)) AS new ON true
        """
    }
}
