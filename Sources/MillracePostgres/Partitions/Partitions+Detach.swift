extension Partitions {
    /// How a month's table stands to its parent.
    package enum Attachment: Sendable, Equatable {
        case attached
        /// A DETACH CONCURRENTLY was begun and not ended.
        case pending
        /// A table by itself.
        case apart
        case missing
    }

    /// As the catalog has it now.
    package func attachment(
        of month: PartitionMonth, in table: PartitionedTable
    ) throws(PostgresError) -> Attachment {
        let found = try connection.query(
            """
            SELECT link.inhdetachpending
            FROM pg_catalog.pg_class AS leaf
            LEFT JOIN pg_catalog.pg_inherits AS link
                ON link.inhrelid = leaf.oid AND link.inhparent = to_regclass($2)
            WHERE leaf.oid = to_regclass($1) AND leaf.relkind = 'r'
            """, parameters: [.text("public.\(table.partitionName(month))"), .text("public.\(table.rawValue)")])
        guard found.rowCount > 0 else { return .missing }
        return found.bool(0, 0).map { $0 ? .pending : .attached } ?? .apart
    }

    /// Makes the month a table by itself; what is there from an interrupted try is gone on with. Readers and writers of the
    /// parent are never in the way for longer than `options.detachLockTimeout`, and no more than that is waited for them at a
    /// time, for `options.detachWait` in all; then 55P03 is thrown, and the DETACH may be pending: nobody sees the month
    /// through the parent until another try has ended it.
    ///
    /// CONCURRENTLY, which takes no lock that COPY or SELECT on the parent would wait for; with Citus, and where the server
    /// refuses that, plainly. The caller writes the row of the audit log.
    package func detach(_ month: PartitionMonth, of table: PartitionedTable) throws(PostgresError) {
        let clock = ContinuousClock()
        let end = clock.now + options.detachWait
        var backoff = Backoff(min: .milliseconds(100), max: .seconds(2))
        var isPlain = try connection.lookForCitus()
        while true {
            do throws(PostgresError) {
                switch try attachment(of: month, in: table) {
                case .apart: return
                case .missing: throw Self.gone(table.partitionName(month))
                case .pending: try endDetach(month, of: table)
                case .attached where isPlain: try detachPlainly(month, of: table)
                case .attached: try detachConcurrently(month, of: table)
                }
                continue
            } catch {
                guard connection.isUsable, error.code == .serverError else { throw error }
                if Self.refusesConcurrently(error), !isPlain, try attachment(of: month, in: table) == .attached {
                    isPlain = try !endOthers(of: table)
                    continue
                }
                guard error.category == .retry, clock.now < end else { throw error }
            }
            try connection.interrupt.pause(for: backoff.next())
        }
    }

    /// The statement is refused as such: by Citus, beside a default partition, or while another month's is pending.
    private static func refusesConcurrently(_ error: PostgresError) -> Bool {
        error.sqlState == SQLState(rawValue: "0A000") || error.sqlState == SQLState(rawValue: "55000")
    }

    private func detachConcurrently(_ month: PartitionMonth, of table: PartitionedTable) throws(PostgresError) {
        let leaf = "public.\(table.partitionName(month))"
        // An autovacuum gives way only to who has waited for a second, which no COPY does for this lock.
        try connection.transaction { () throws(PostgresError) in
            try connection.execute(
                """
                SET LOCAL lock_timeout = '3s';
                LOCK TABLE \(leaf) IN SHARE UPDATE EXCLUSIVE MODE
                """)
        }
        try connection.execute("SET lock_timeout = \(options.detachLockTimeout.milliseconds)")
        do throws(PostgresError) {
            // Alone in its message, since the server commits in the middle of it.
            try connection.execute(
                "ALTER TABLE public.\(table.rawValue) DETACH PARTITION \(leaf) CONCURRENTLY", timeout: .seconds(600))
        } catch {
            if connection.isUsable { try connection.execute("RESET lock_timeout") }
            throw error
        }
        try connection.execute("RESET lock_timeout")
    }

    private func detachPlainly(_ month: PartitionMonth, of table: PartitionedTable) throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            if connection.hasCitus { try connection.execute(PostgresConnection.sequentialMode) }
            try connection.execute("SET LOCAL lock_timeout = \(options.detachLockTimeout.milliseconds)")
            try connection.execute(
                "ALTER TABLE public.\(table.rawValue) DETACH PARTITION public.\(table.partitionName(month))",
                timeout: .seconds(60))
        }
    }

    private func endDetach(_ month: PartitionMonth, of table: PartitionedTable) throws(PostgresError) {
        try connection.transaction { () throws(PostgresError) in
            try connection.execute("SET LOCAL lock_timeout = \(options.detachLockTimeout.milliseconds)")
            try connection.execute(
                "ALTER TABLE public.\(table.rawValue) DETACH PARTITION public.\(table.partitionName(month)) FINALIZE",
                timeout: .seconds(60))
        }
    }

    /// Ends the DETACH of another month, since a parent has one pending at most. Returns whether there was one.
    private func endOthers(of table: PartitionedTable) throws(PostgresError) -> Bool {
        let pending = try list().filter { $0.table == table && $0.isDetachPending }
        for partition in pending {
            try connection.transaction { () throws(PostgresError) in
                try connection.execute("SET LOCAL lock_timeout = \(options.detachLockTimeout.milliseconds)")
                try connection.execute(
                    "ALTER TABLE public.\(table.rawValue) DETACH PARTITION \(partition.relation) FINALIZE",
                    timeout: .seconds(60))
                try AuditLog.record(.partitionFinalize, partition.name, on: connection)
            }
        }
        return !pending.isEmpty
    }

    private static func gone(_ name: String) -> PostgresError {
        PostgresError(
            code: .partitionGone, message: "there is no table \(name)",
            hint: "See `millrace partitions list`: somebody dropped or renamed the month.")
    }
}
