package import MillracePostgres
package import MillraceProjections

/// Erases from a month that was away what was to be erased since. Blocks; the connection must be idle.
package struct MonthErasure {
    private let packs: [PackDefinition]
    private let paths: [ErasurePath]

    /// - Parameters:
    ///   - packs: whose projections count the month's rows.
    ///   - paths: what is blanked in payloads.
    package init(packs: [PackDefinition], paths: [ErasurePath]) {
        self.packs = packs
        self.paths = paths
    }

    /// Of a table that nobody sees, with its schema; then `attach` makes it a partition, while no other erasure goes by which
    /// months there are.
    package func apply(
        to relation: String, of table: PartitionedTable, on connection: PostgresConnection, attach: () throws -> Void
    ) throws {
        try whileAlone(connection) {
            let replay = ErasureReplay(connection: connection, packs: packs, paths: paths)
            try replay.run(on: relation, of: table)
            try attach()
            try replay.renewSketches()
        }
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
