internal import CLibPQ

extension PostgresConnection {
    /// Whether there is a table, view or index of this name, with its schema. Blocks as `execute` does.
    package func hasRelation(_ name: String, timeout: Duration? = nil) throws(PostgresError) -> Bool {
        try query("SELECT to_regclass($1) IS NOT NULL", parameters: [.text(name)], timeout: timeout).bool(0, 0) ?? false
    }

    /// Sends `sql` as one message; it may hold several statements. Blocks up to `timeout` (nil: the connection's).
    ///
    /// - Returns: the result of the last statement.
    /// - Throws: the first error; the server has then skipped the statements after it.
    @discardableResult
    package func execute(_ sql: String, timeout: Duration? = nil) throws(PostgresError) -> PostgresResult {
        try run(deadline: Deadline(after: timeout ?? statementTimeout)) { PQsendQuery($0, sql) }
    }

    /// Sends one statement with values for its `$1`, `$2` …; nil is NULL. Blocks up to `timeout` (nil: the connection's).
    /// `answersBinary`: values come as their types' send functions give them; read them by `withBytes`.
    @discardableResult
    package func query(
        _ sql: String,
        parameters: [PostgresParameter?] = [],
        answersBinary: Bool = false,
        timeout: Duration? = nil
    ) throws(PostgresError) -> PostgresResult {
        let bound = BoundParameters(parameters)
        return try run(deadline: Deadline(after: timeout ?? statementTimeout)) { handle in
            bound.withPointers { values, lengths, formats in
                PQsendQueryParams(
                    handle, sql, bound.count, bound.types, values, lengths, formats, answersBinary ? 1 : 0)
            }
        }
    }

    /// Runs `body` between BEGIN and COMMIT; rolls back when it throws. Blocks as its statements do.
    package func transaction<Answer>(
        timeout: Duration? = nil,
        _ body: () throws(PostgresError) -> Answer
    ) throws(PostgresError) -> Answer {
        try execute("BEGIN", timeout: timeout)
        do throws(PostgresError) {
            let answer = try body()
            try commit(timeout: timeout)
            return answer
        } catch {
            if transactionStatus == .inTransaction || transactionStatus == .failed {
                do throws(PostgresError) { try execute("ROLLBACK", timeout: timeout) } catch { close() }
            }
            throw error
        }
    }

    /// Ends the open transaction; throws also when it had failed.
    package func commit(timeout: Duration? = nil) throws(PostgresError) {
        // The COMMIT of a failed transaction is no error to the server: it says ROLLBACK.
        guard try execute("COMMIT", timeout: timeout).commandTag == "COMMIT" else {
            throw PostgresError(
                code: .serverError, sqlState: SQLState(rawValue: "25P02"),
                message: "the transaction had failed and was rolled back")
        }
    }

    /// Sends by `send`, which returns libpq's 1 for success, and reads every result.
    func run(
        deadline: Deadline, _ send: (OpaquePointer) -> Int32
    ) throws(PostgresError) -> PostgresResult {
        try exchange { (handle) throws(PostgresError) in
            guard send(handle) == 1 else { throw .lost(handle) }
            return try lastResult(handle, deadline: deadline)
        }
    }

    /// Reads results until the statement has ended; the last one, or the first error.
    func lastResult(_ handle: OpaquePointer, deadline: Deadline) throws(PostgresError) -> PostgresResult {
        var last: OpaquePointer?
        var failure: PostgresError?
        var endsSession = false
        defer { PQclear(last) }
        while let result = try nextResult(handle, deadline: deadline) {
            PQclear(last)
            last = result
            switch PQresultStatus(result) {
            case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR:
                failure = failure ?? PostgresError(result: result, connection: handle)
                endsSession = endsSession || PostgresError.endsSession(result)
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                throw PostgresError(
                    code: .connectionFailed, message: "COPY FROM STDIN or TO STDOUT came through execute",
                    hint: "A mistake in Millrace: COPY goes through copyIn and copyOut.")
            default: break
            }
        }
        if let failure {
            if endsSession { close() }
            throw failure
        }
        guard let result = last else { throw .lost(handle) }
        last = nil
        return PostgresResult(owning: result)
    }
}
