package import MillracePostgres
package import MillraceProjections

/// What a month has missed while it was away: users who were erased, and statuses of conversations. Blocks; the connection
/// must be idle.
package struct MonthReturn {
    private let packs: [PackDefinition]
    private let paths: [ErasurePath]

    /// - Parameters:
    ///   - packs: whose projections count the month's rows.
    ///   - paths: what is blanked in payloads.
    package init(packs: [PackDefinition], paths: [ErasurePath]) {
        self.packs = packs
        self.paths = paths
    }

    /// Erases from a table that nobody sees, with its schema; then `attach` makes it a partition, while no other erasure goes
    /// by which months there are.
    func erase(
        from relation: String, of table: PartitionedTable, on connection: PostgresConnection, attach: () throws -> Void
    ) throws {
        try whileAlone(connection) {
            try replay(connection).run(on: relation, of: table)
            try attach()
        }
    }

    /// Of a month that is attached by now. To do it again changes nothing.
    func settle(in relation: String, of table: PartitionedTable, on connection: PostgresConnection) throws {
        try replay(connection).renewSketches()
        guard table == .conversations else { return }
        try ReturnedStatuses(connection: connection, packs: packs).settle(in: relation)
    }

    /// Makes a table that somebody detached by hand a partition again.
    package func attach(
        _ month: PartitionMonth, of table: PartitionedTable, by partitions: Partitions,
        on connection: PostgresConnection
    ) throws {
        let relation = "public.\(table.partitionName(month))"
        try erase(from: relation, of: table, on: connection) { try partitions.attach(month, of: table) }
        try settle(in: relation, of: table, on: connection)
    }

    private func replay(_ connection: PostgresConnection) -> ErasureReplay {
        ErasureReplay(connection: connection, packs: packs, paths: paths)
    }

    private func whileAlone(_ connection: PostgresConnection, _ body: () throws -> Void) throws {
        let key = "\(AdvisoryLock.erasure.rawValue), 0"
        var backoff = Backoff(min: .milliseconds(50), max: .seconds(1))
        while try connection.execute("SELECT pg_try_advisory_lock(\(key))").bool(0, 0) != true {
            guard backoff.attempts < 60 else {
                throw ArchiveError(
                    .monthBusy, "a user is being erased, which goes by the months there are",
                    hint: "Wait for it, then run this again: it goes on.")
            }
            try connection.interrupt.pause(for: backoff.next())
        }
        defer { release(key, connection) }
        try body()
    }

    private func release(_ key: String, _ connection: PostgresConnection) {
        guard connection.isUsable, connection.transactionStatus == .idle else { return connection.close() }
        do throws(PostgresError) {
            try connection.execute("SELECT pg_advisory_unlock(\(key))")
        } catch { connection.close() }
    }
}
