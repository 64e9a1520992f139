import MillracePostgres

/// The careful way of one leaf's rows into their table, inside the batch's transaction: COPY into a temporary stage,
/// then `INSERT … ON CONFLICT DO NOTHING` of the first row of each identity. A row that the database refuses for good is
/// found by halving the range, each half behind a savepoint.
struct StagedCopy {
    /// A row the database refuses, with its reason.
    struct RefusedRow {
        var sequence: UInt64
        var sqlState: String
        var message: String
    }

    /// Rows that are made for the stage before they are sent: a copy of all would double the batch.
    private static let rowsAtOnce = 256

    private let connection: PostgresConnection
    private let table: String
    /// Sequences whose row was there before, or earlier in the batch.
    private(set) var duplicates: [UInt64] = []
    private(set) var refused: [RefusedRow] = []

    init(connection: PostgresConnection, table: String) {
        self.connection = connection
        self.table = table
    }

    /// Copies all rows of `leaf`. Throws what is no fault of a row.
    mutating func copy(_ leaf: EncodedLeaf) throws {
        try connection.execute(
            """
            CREATE TEMPORARY TABLE IF NOT EXISTS \(leaf.key.stage)
            ON COMMIT DELETE ROWS
            AS SELECT 0::bigint AS sequence, \(leaf.key.columns) FROM \(leaf.key.parent) WITH NO DATA
            """
        )
        // Halves still to do, the next one last, so that the stack stays as deep as the tree.
        var ranges = [0..<leaf.count]
        while let range = ranges.popLast() {
            do {
                try copy(leaf, range)
            } catch let error as PostgresError where error.category == .poison || error.category == .duplicate {
                try connection.execute("ROLLBACK TO SAVEPOINT millrace_stage; RELEASE SAVEPOINT millrace_stage")
                if range.count == 1 {
                    let sequence = leaf.sequences(of: range)[0]
                    refused.append(
                        RefusedRow(sequence: sequence, sqlState: error.sqlState?.rawValue ?? "", message: error.message)
                    )
                } else {
                    let middle = range.lowerBound + range.count / 2
                    ranges += [middle..<range.upperBound, range.lowerBound..<middle]
                }
            }
        }
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
        var isNew = Set<UInt64>(minimumCapacity: inserted.rowCount)
        for row in 0..<inserted.rowCount {
            if let sequence = inserted.int(row, 0) { isNew.insert(UInt64(sequence)) }
        }
        try connection.execute("DELETE FROM \(leaf.key.stage); RELEASE SAVEPOINT millrace_stage")
        duplicates += leaf.sequences(of: range).filter { !isNew.contains($0) }
    }

    /// Rows whose identity is (created_at, id). In the key's order, so that two writers with the same identities wait for
    /// each other instead of deadlocking.
    private func insert(_ leaf: EncodedLeaf) -> String {
        """
        WITH firsts AS MATERIALIZED (
            SELECT DISTINCT ON (created_at, id) *
            FROM \(leaf.key.stage)
            ORDER BY created_at, id, sequence
        ), inserted AS (
            INSERT INTO \(table) (\(leaf.key.columns))
            SELECT \(leaf.key.columns)
            FROM firsts
            ORDER BY created_at, id
            ON CONFLICT (created_at, id) DO NOTHING
            RETURNING created_at, id
        )
        SELECT sequence
        FROM firsts JOIN inserted USING (created_at, id)
        """
    }

    /// Rows that came with an id but without any time: `event_ids` decides who was first. They were received in one
    /// month or another, so they go through the parent.
    private func identifiedInsert(_ leaf: EncodedLeaf) -> String {
        """
        WITH firsts AS MATERIALIZED (
            SELECT DISTINCT ON (id) *
            FROM \(leaf.key.stage)
            ORDER BY id, sequence
        ), known AS (
            INSERT INTO public.event_ids (id, created_at)
            SELECT id, created_at
            FROM firsts
            ORDER BY id
            ON CONFLICT (id) DO NOTHING
            RETURNING id
        ), inserted AS (
            INSERT INTO \(table) (\(leaf.key.columns))
            SELECT \(leaf.key.columns)
            FROM firsts JOIN known USING (id)
            ON CONFLICT (created_at, id) DO NOTHING
            RETURNING id
        )
        SELECT sequence
        FROM firsts JOIN inserted USING (id)
        """
    }
}
