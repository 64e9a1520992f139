extension Partitions {
    /// Every month that is there in any form, and those that are missing from the one that holds `microseconds` (since 1970)
    /// to `ahead` months later; by table, then by name.
    package func survey(ahead: Int, from microseconds: Int64) throws(PostgresError) -> [MonthStanding] {
        var all: [MonthStanding] = []
        let records = try MonthTable.all(connection)
        for table in PartitionedTable.allCases {
            var standings = try attached(table) + apart(table)
            let own = records.filter { $0.table == table }
            for index in standings.indices {
                standings[index].record = own.first { $0.month == standings[index].month }
            }
            let there = Set(standings.compactMap(\.month))
            for record in own where !there.contains(record.month) && record.state != .live {
                standings.append(
                    MonthStanding(
                        table: table, name: record.relation, month: record.month, state: .archived, record: record))
            }
            let known = Set(standings.filter { $0.state != .detachPending || $0.month != nil }.compactMap(\.month))
            if let current = PartitionMonth(microseconds: microseconds) {
                for month in current...current.advanced(by: max(0, ahead)) where !known.contains(month) {
                    standings.append(
                        MonthStanding(table: table, name: table.partitionName(month), month: month, state: .missing))
                }
            }
            all += standings.sorted { $0.name < $1.name }
        }
        return all
    }

    private func attached(_ table: PartitionedTable) throws(PostgresError) -> [MonthStanding] {
        try list().filter { $0.table == table }.map { partition in
            let bounded = PartitionMonth(bounds: partition.bounds)
            var standing = MonthStanding(
                table: table, name: partition.name, month: bounded ?? partition.month, state: .attached)
            if partition.isDetachPending {
                standing.state = .detachPending
            } else if let bounded, bounded != partition.month {
                standing.state = .renamed
            } else if bounded == nil, partition.month != nil {
                standing.state = .foreign
                standing.detail = "the partition \(partition.bounds)"
            }
            return standing
        }
    }

    /// What stands under a month's name without being a partition of its table.
    private func apart(_ table: PartitionedTable) throws(PostgresError) -> [MonthStanding] {
        let rows = try connection.query(
            """
            SELECT relation.relname, relation.relkind, relation.relispartition
            FROM pg_catalog.pg_class AS relation
            WHERE relation.relnamespace = 'public'::regnamespace
                AND relation.relname ~ ('^' || $1 || '_y[0-9]{4}m[0-9]{2}$')
                AND NOT EXISTS (
                    SELECT 1
                    FROM pg_catalog.pg_inherits
                    WHERE inhrelid = relation.oid AND inhparent = to_regclass('public.' || $1)
                )
            ORDER BY relation.relname
            """, parameters: [.text(table.rawValue)])
        return (0..<rows.rowCount).map { row in
            let name = rows.string(row, 0) ?? ""
            let isPlain = rows.string(row, 1) == "r" && rows.bool(row, 2) == false
            return MonthStanding(
                table: table, name: name, month: PartitionMonth(partitionName: name, of: table),
                state: isPlain ? .detached : .foreign,
                detail: isPlain ? nil : Self.kind(rows.string(row, 1), isPartition: rows.bool(row, 2) == true))
        }
    }

    private static func kind(_ relkind: String?, isPartition: Bool) -> String {
        if isPartition { return "the partition of another table" }
        switch relkind {
        case "f": return "the foreign table"
        case "v": return "the view"
        case "m": return "the materialized view"
        case "p": return "the partitioned table"
        case "i", "I": return "the index"
        case "S": return "the sequence"
        default: return "the relation"
        }
    }

    // MARK: - Fixing

    /// Ends a DETACH CONCURRENTLY that was interrupted, as its administrator wanted; PostgreSQL has no way back. Throws 55P03
    /// when locks can't be had: the DETACH may still be under way.
    package func finalize(_ standing: MonthStanding) throws(PostgresError) {
        try whileContended { () throws(PostgresError) in
            try connection.execute("SET LOCAL lock_timeout = \(options.lockTimeout.milliseconds)")
            try connection.execute(
                "ALTER TABLE public.\(standing.table.rawValue) DETACH PARTITION \(standing.relation) FINALIZE",
                timeout: .seconds(60))
            try AuditLog.record(.partitionFinalize, standing.name, on: connection)
        }
    }

    /// Makes a detached month a partition again, when its columns are its table's and every row lies within the month. Reads
    /// the month once unless its CHECK says it; writers and readers of other months go on.
    package func attach(_ month: PartitionMonth, of table: PartitionedTable) throws(PostgresError) {
        let name = table.partitionName(month)
        let parent = "public.\(table.rawValue)"
        let leaf = "public.\(name)"
        try checkColumns(of: name, against: table)
        let outside = try connection.execute(
            """
            SELECT 1
            FROM \(leaf)
            WHERE created_at < '\(month.lowerBound)' OR created_at >= '\(month.upperBound)' OR created_at IS NULL
            LIMIT 1
            """, timeout: .seconds(3600))
        guard outside.rowCount == 0 else {
            throw Self.unfit("\(name) has rows outside of its month", hint: "Move them to their month first.")
        }
        let check = try connection.query(
            "SELECT 1 FROM pg_catalog.pg_constraint WHERE conrelid = to_regclass($1) AND conname = $2 AND convalidated",
            parameters: [.text(leaf), .text("\(name)_created_at_check")])
        if check.rowCount == 0 {
            try connection.execute("ALTER TABLE \(leaf) DROP CONSTRAINT IF EXISTS \(name)_created_at_check")
            try connection.execute(
                """
                ALTER TABLE \(leaf)
                    ADD CONSTRAINT \(name)_created_at_check
                    CHECK (created_at >= '\(month.lowerBound)' AND created_at < '\(month.upperBound)') NOT VALID
                """)
            try connection.execute(
                "ALTER TABLE \(leaf) VALIDATE CONSTRAINT \(name)_created_at_check", timeout: .seconds(3600))
        }
        try PrimaryKeyIndexes(connection: connection).replace(try key(of: parent, for: leaf))
        try completeIndexes(of: month, in: table)
        try whileContended { () throws(PostgresError) in
            if try connection.lookForCitus() { try connection.execute(PostgresConnection.sequentialMode) }
            try connection.execute("SET LOCAL lock_timeout = \(options.lockTimeout.milliseconds)")
            try connection.execute(
                """
                ALTER TABLE \(parent)
                    ATTACH PARTITION \(leaf) FOR VALUES FROM ('\(month.lowerBound)') TO ('\(month.upperBound)')
                """, timeout: .seconds(3600))
            try handOver(leaf, of: parent)
            try AuditLog.record(.partitionAttach, name, on: connection)
        }
        if connection.hasCitus { try TableDistribution(connection: connection).removeLocalRows(of: leaf) }
    }

    /// Builds the key of a table that `makeApart` made, once it is filled.
    package func addKey(to month: PartitionMonth, of table: PartitionedTable) throws(PostgresError) {
        let name = table.partitionName(month)
        let key = try key(of: "public.\(table.rawValue)", for: "public.\(name)")
        try connection.execute(
            """
            ALTER TABLE \(key.table)
                ADD CONSTRAINT \(name)_pkey PRIMARY KEY (\(key.columns.joined(separator: ", ")))
            """, timeout: .seconds(4 * 3600))
    }

    /// The key of `parent`, as `leaf` is to have it, which may have been detached before a migration changed the key.
    private func key(of parent: String, for leaf: String) throws(PostgresError) -> PrimaryKey {
        let columns = try connection.query(
            """
            SELECT field.attname
            FROM pg_catalog.pg_constraint AS own
            CROSS JOIN LATERAL unnest(own.conkey) WITH ORDINALITY AS part (number, place)
            JOIN pg_catalog.pg_attribute AS field ON field.attrelid = own.conrelid AND field.attnum = part.number
            WHERE own.conrelid = to_regclass($1) AND own.contype = 'p'
            ORDER BY part.place
            """, parameters: [.text(parent)])
        return PrimaryKey(of: leaf, (0..<columns.rowCount).compactMap { columns.string($0, 0) })
    }

    private func checkColumns(of name: String, against table: PartitionedTable) throws(PostgresError) {
        let columns = """
            SELECT attname, atttypid, atttypmod, attcollation, attnotnull, attgenerated
            FROM pg_catalog.pg_attribute
            WHERE attrelid = to_regclass($%) AND attnum > 0 AND NOT attisdropped
            """
        let different = try connection.query(
            """
            SELECT string_agg(attname, ', ' ORDER BY attname)
            FROM (\(columns.replacing("%", with: "1"))) AS wanted
            FULL JOIN (\(columns.replacing("%", with: "2"))) AS found USING (attname)
            WHERE wanted.atttypid IS DISTINCT FROM found.atttypid
                OR wanted.atttypmod IS DISTINCT FROM found.atttypmod
                OR wanted.attcollation IS DISTINCT FROM found.attcollation
                OR wanted.attgenerated IS DISTINCT FROM found.attgenerated
                OR (wanted.attnotnull AND NOT found.attnotnull)
            """, parameters: [.text("public.\(table.rawValue)"), .text("public.\(name)")])
        if let names = different.string(0, 0) {
            throw Self.unfit(
                "\(name) has other columns than \(table.rawValue): \(names)",
                hint: "Give it the same columns, types and NOT NULLs (\\d in psql shows them).")
        }
    }

    private static func unfit(_ message: String, hint: String) -> PostgresError {
        PostgresError(code: .serverError, sqlState: SQLState(rawValue: "42P17"), message: message, hint: hint)
    }
}
