extension Partitions {
    /// Builds the payload indexes that `options.payloadIndex` wants and that are not there: with `.closed` on the months
    /// that are over at `microseconds` (since 1970), with `.live` on every month, with `.none` nowhere. Never drops a
    /// valid one. Writing and reading go on meanwhile.
    ///
    /// - Parameter timeout: for one index; a build scans its month twice and waits for older transactions.
    /// - Returns: the names of the partitions whose index was built.
    @discardableResult
    package func ensurePayloadIndexes(
        at microseconds: Int64, timeout: Duration = .seconds(4 * 3600)
    ) throws(PostgresError) -> [String] {
        guard options.payloadIndex != .none else { return [] }
        var built: [String] = []
        for partition in try list() where partition.table == .analyticsEvents && partition.payloadIndex != .valid {
            guard let month = partition.month, !partition.isDetachPending else { continue }
            guard options.payloadIndex == .live || month.upperMicroseconds <= microseconds else { continue }
            if try buildPayloadIndex(of: partition.name, timeout: timeout) { built.append(partition.name) }
        }
        return built
    }

    /// False when another daemon is at it.
    private func buildPayloadIndex(of name: String, timeout: Duration) throws(PostgresError) -> Bool {
        let leaf = "public.\(name)"
        // CONCURRENTLY refuses to run in a transaction, so the lock is the session's.
        let key = "\(AdvisoryLock.payloadIndex.rawValue), hashtext('\(leaf)')"
        guard try connection.execute("SELECT pg_try_advisory_lock(\(key))").bool(0, 0) == true else { return false }
        do throws(PostgresError) {
            let isWanted = try list().contains { $0.name == name && $0.payloadIndex != .valid }
            if isWanted {
                // Nobody is building, as the lock says: an index of that name is what a failed build left.
                try connection.execute("DROP INDEX CONCURRENTLY IF EXISTS \(leaf)_payload_idx", timeout: timeout)
                try connection.execute("CREATE INDEX CONCURRENTLY \(payloadIndex(name, on: leaf))", timeout: timeout)
            }
            try connection.execute("SELECT pg_advisory_unlock(\(key))")
            return isWanted
        } catch {
            if connection.isUsable { try connection.execute("SELECT pg_advisory_unlock(\(key))") }
            throw error
        }
    }

    /// Moves what waits in the pending lists of every month's GIN indexes into the indexes proper, so that no COPY has to
    /// and `payload @>` stays fast. For a connection of the maintenance: it takes as long as there is to move.
    ///
    /// - Parameter timeout: for one index.
    /// - Returns: the number of pages moved.
    @discardableResult
    package func cleanPendingLists(timeout: Duration = .seconds(600)) throws(PostgresError) -> Int {
        if let shards = try CitusShards(connection) { return try shards.cleanPendingLists(timeout: timeout) }
        let parents = PartitionedTable.allCases.map { "to_regclass('public.\($0.rawValue)')" }.joined(separator: ", ")
        let indexes = try connection.execute(
            """
            SELECT state.indexrelid
            FROM pg_catalog.pg_index AS state
            JOIN pg_catalog.pg_class AS index ON index.oid = state.indexrelid
            JOIN pg_catalog.pg_am AS method ON method.oid = index.relam
            JOIN pg_catalog.pg_inherits AS link ON link.inhrelid = state.indrelid
            WHERE link.inhparent IN (\(parents))
                AND method.amname = 'gin'
                AND state.indisvalid
            ORDER BY pg_catalog.pg_relation_size(state.indexrelid) DESC
            """)
        var pages = 0
        for index in (0..<indexes.rowCount).compactMap({ indexes.int($0, 0) }) {
            pages += try connection.execute("SELECT gin_clean_pending_list(\(index))", timeout: timeout).int(0, 0) ?? 0
        }
        return pages
    }
}

extension Partitions {
    /// Lets pages of rows that came since the last vacuum be found by their batch: the BRIN indexes on batch_id know
    /// nothing of them before, so that each search reads them all. Outside of a transaction.
    ///
    /// - Parameters:
    ///   - lockWait: for a month that a vacuum is at, which summarizes too; nil waits, and PostgreSQL then ends an
    ///     autovacuum.
    ///   - timeout: for one month.
    package func summarizeBatches(
        lockWait: Duration? = nil, timeout: Duration = .seconds(600)
    ) throws(PostgresError) {
        if let shards = try CitusShards(connection) { return try shards.summarizeBatches(timeout: timeout) }
        let parents = PartitionedTable.allCases.map { "to_regclass('public.\($0.rawValue)_batch_id_idx')" }
        let indexes = try connection.execute(
            """
            SELECT leaf.inhrelid
            FROM pg_catalog.pg_inherits AS leaf
            JOIN pg_catalog.pg_class AS index ON index.oid = leaf.inhrelid
            JOIN pg_catalog.pg_am AS method ON method.oid = index.relam AND method.amname = 'brin'
            WHERE leaf.inhparent IN (\(parents.joined(separator: ", ")))
            """)
        for index in (0..<indexes.rowCount).compactMap({ indexes.int($0, 0) }) {
            do throws(PostgresError) {
                try connection.execute(
                    """
                    BEGIN;
                    SET LOCAL lock_timeout = \(lockWait?.milliseconds ?? 0);
                    SELECT brin_summarize_new_values(\(index));
                    COMMIT
                    """, timeout: timeout)
            } catch {
                if connection.isUsable { try connection.execute("ROLLBACK") }
                guard error.sqlState == .lockNotAvailable else { throw error }
            }
        }
    }
}
