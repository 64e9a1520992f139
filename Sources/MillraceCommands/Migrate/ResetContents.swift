internal import MillracePostgres

/// What `migrate reset` would delete.
enum ResetContents {
    /// For a sentence: `about 1,200 events and … in database "millrace"`.
    static func description(_ connection: PostgresConnection) throws(PostgresError) -> String {
        let database = try connection.execute("SELECT current_database()").string(0, 0) ?? ""
        let partitions = try Partitions(connection: connection).list()
        let parts = PartitionedTable.allCases.map { table in
            let rows = partitions.filter { $0.table == table }.reduce(0) { $0 + $1.rowsEstimate }
            return "about \(Format.count(rows)) rows of \(table.rawValue)"
        }
        return parts.joined(separator: ", ") + ", the ledger and the dead letters, in database \"\(database)\""
    }
}
