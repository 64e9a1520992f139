internal import CLibPQ

extension PostgresConnection {
    /// What the server may still send of an answer that nobody wants any more; beyond that the session is closed instead.
    private static let unwantedBytesMax = 1 << 20

    /// Sends one statement with values for its `$1`, `$2` …; nil is NULL. Passes its rows on, one by one as they come.
    /// Blocks up to `timeout` (nil: the connection's) in all, the time that `onRow` takes included. Holds one row.
    ///
    /// - Parameter onRow: gets a result with one row, and returns whether more are wanted. After false, or an error of
    ///   its own, what still comes is thrown away; where that is much, the session is closed.
    /// - Throws: what `onRow` throws, else `PostgresError`; `onRow` has then seen the rows before it.
    package func rows(
        _ sql: String,
        parameters: [PostgresParameter?] = [],
        timeout: Duration? = nil,
        _ onRow: (borrowing PostgresResult) throws -> Bool
    ) throws {
        let deadline = Deadline(after: timeout ?? statementTimeout)
        let bound = BoundParameters(parameters)
        var isWanted = true
        var unwantedBytes = 0
        var failure: (any Error)?
        var endsSession = false
        try exchange { (handle) throws(PostgresError) in
            let sent = bound.withPointers { values, lengths, formats in
                PQsendQueryParams(handle, sql, bound.count, bound.types, values, lengths, formats, 0)
            }
            guard sent == 1, PQsetSingleRowMode(handle) == 1 else { throw .lost(handle) }
            while unwantedBytes <= Self.unwantedBytesMax, let pointer = try nextResult(handle, deadline: deadline) {
                let result = PostgresResult(owning: pointer)
                switch PQresultStatus(pointer) {
                case PGRES_SINGLE_TUPLE where isWanted:
                    do { isWanted = try onRow(result) } catch {
                        failure = error
                        isWanted = false
                    }
                case PGRES_SINGLE_TUPLE: unwantedBytes += result.byteCount
                // After the last row.
                case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
                default:
                    endsSession = endsSession || PostgresError.endsSession(pointer)
                    if isWanted { failure = failure ?? PostgresError(result: pointer, connection: handle) }
                }
            }
        }
        if endsSession || unwantedBytes > Self.unwantedBytesMax { close() }
        if let failure { throw failure }
    }
}
