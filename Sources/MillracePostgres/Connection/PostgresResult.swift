internal import CLibPQ

/// The answer to one statement. Owns libpq's memory; rows and columns count from 0.
package struct PostgresResult: ~Copyable {
    // SAFETY: owned alone by this value, freed once in deinit, never written to.
    private let result: OpaquePointer

    init(owning result: OpaquePointer) {
        self.result = result
    }

    deinit {
        PQclear(result)
    }

    package var rowCount: Int { Int(PQntuples(result)) }

    package var columnCount: Int { Int(PQnfields(result)) }

    package var columns: [String] {
        (0..<PQnfields(result)).map { PQfname(result, $0).map { String(cString: $0) } ?? "" }
    }

    /// The OIDs of the columns' types, as in `pg_type`.
    package var columnTypes: [UInt32] {
        (0..<PQnfields(result)).map { PQftype(result, $0) }
    }

    /// As the server names what it did: `INSERT 0 3`, `COMMIT`, and `ROLLBACK` for the COMMIT of a failed transaction.
    package var commandTag: String { String(cString: PQcmdStatus(result)) }

    /// Rows inserted, copied, changed, deleted or selected; 0 for statements that touch no rows.
    package var affectedRows: Int { Int(String(cString: PQcmdTuples(result))) ?? 0 }

    /// Bytes of all values, as the server sent them.
    package var byteCount: Int {
        (0..<PQntuples(result)).reduce(0) { sum, row in
            (0..<PQnfields(result)).reduce(sum) { $0 + Int(PQgetlength(result, row, $1)) }
        }
    }

    /// Whether the value is SQL's NULL. Row and column must be there.
    package func isNull(_ row: Int, _ column: Int) -> Bool {
        PQgetisnull(result, Int32(row), Int32(column)) == 1
    }

    /// nil for SQL's NULL.
    package func string(_ row: Int, _ column: Int) -> String? {
        bytes(row, column).map { String(decoding: $0, as: UTF8.self) }
    }

    /// nil for NULL, and for what is not a decimal integer.
    package func int(_ row: Int, _ column: Int) -> Int? {
        string(row, column).flatMap { Int($0) }
    }

    /// An integer's value; 0 for NULL.
    package func count(_ row: Int, _ column: Int) -> Int { int(row, column) ?? 0 }

    /// nil for NULL.
    package func bool(_ row: Int, _ column: Int) -> Bool? {
        string(row, column).map { $0 == "t" }
    }

    /// Each row as its texts; NULL is empty.
    package var texts: [[String]] {
        (0..<rowCount).map { row in (0..<columnCount).map { string(row, $0) ?? "" } }
    }

    /// Hands out the value's text without a copy, valid only within `body`; nil for NULL.
    package func withBytes<Answer>(
        _ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer?) throws -> Answer
    ) rethrows -> Answer {
        try body(bytes(row, column))
    }

    /// The value's text; valid as long as the result. nil for NULL, and for what the server did not send.
    private func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
        guard row >= 0, row < rowCount, column >= 0, column < Int(PQnfields(result)), !isNull(row, column) else {
            return nil
        }
        let length = Int(PQgetlength(result, Int32(row), Int32(column)))
        return UnsafeRawBufferPointer(start: PQgetvalue(result, Int32(row), Int32(column)), count: length)
    }
}
