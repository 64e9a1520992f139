internal import CLibPQ

extension PostgresConnection {
    /// Runs `COPY … FROM STDIN`; `body` writes the rows. Blocks up to `timeout` (nil: the connection's) in all.
    ///
    /// When `body` throws, the COPY fails on the server too (the transaction then stands at `.failed`), and the body's
    /// error is thrown.
    ///
    /// - Returns: the number of rows the server took.
    package func copyIn(
        _ sql: String,
        format: CopyFormat = .binary,
        timeout: Duration? = nil,
        _ body: (borrowing CopyWriter) throws(PostgresError) -> Void
    ) throws(PostgresError) -> Int {
        let deadline = Deadline(after: timeout ?? statementTimeout)
        return try exchange { (handle) throws(PostgresError) in
            try beginCopy(handle, sql: sql, deadline: deadline)
            let writer = CopyWriter(connection: self, handle: handle, deadline: deadline)
            do throws(PostgresError) {
                if case .binary = format { try writer.write(CopyFormat.binaryHeader) }
                try body(writer)
                if case .binary = format { try writer.write(CopyFormat.binaryTrailer) }
            } catch {
                if error.code == .serverError { try abandonCopy(handle, deadline: deadline) }
                throw error
            }
            guard PQputCopyEnd(handle, nil) == 1 else { throw .lost(handle) }
            return try lastResult(handle, deadline: deadline).affectedRows
        }
    }

    /// Sends `sql`, and returns once the server is at `direction` (`PGRES_COPY_IN` or `PGRES_COPY_OUT`).
    func beginCopy(
        _ handle: OpaquePointer, sql: String, direction: ExecStatusType = PGRES_COPY_IN, deadline: Deadline
    ) throws(PostgresError) {
        guard PQsendQuery(handle, sql) == 1 else { throw .lost(handle) }
        guard let result = try nextResult(handle, deadline: deadline) else { throw .lost(handle) }
        let status = PQresultStatus(result)
        let failure = PostgresError(result: result, connection: handle)
        PQclear(result)
        if status == direction { return }
        guard status == PGRES_FATAL_ERROR else {
            throw PostgresError(
                code: .connectionFailed, message: "a COPY was given a statement that is none in its direction",
                hint: "A mistake in Millrace.")
        }
        while let rest = try nextResult(handle, deadline: deadline) { PQclear(rest) }
        throw failure
    }

    /// Tells the server that no more rows come; its error about that is expected.
    private func abandonCopy(_ handle: OpaquePointer, deadline: Deadline) throws(PostgresError) {
        guard PQputCopyEnd(handle, "abandoned by the client") == 1 else { throw .lost(handle) }
        while let result = try nextResult(handle, deadline: deadline) { PQclear(result) }
    }
}
