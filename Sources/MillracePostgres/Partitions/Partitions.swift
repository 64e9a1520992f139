/// Makes and lists the months of the partitioned tables. Blocks; the connection must be idle, and its role must own the
/// tables.
///
/// A month is made beside its parent and then attached, which takes SHARE UPDATE EXCLUSIVE on the parent: COPY and
/// SELECT go on. `CREATE TABLE … PARTITION OF` would take ACCESS EXCLUSIVE.
package struct Partitions {
    let connection: PostgresConnection
    let options: PartitionOptions

    package init(connection: PostgresConnection, options: PartitionOptions = PartitionOptions()) {
        self.connection = connection
        self.options = options
    }

    /// Makes the month unless it is there. Any number of daemons may ask at once.
    ///
    /// - Returns: whether this call made it.
    /// - Throws: 55P03 when the parent stayed locked through all tries; 42P07 when a table of that name exists but is
    ///   detached, which is a month on its way out, and when the month is retired.
    /// - Parameter name: of its table; the month's own unless a detached one has it.
    @discardableResult
    package func ensure(
        _ month: PartitionMonth, of table: PartitionedTable, as name: String? = nil
    ) throws(PostgresError) -> Bool {
        let name = name ?? table.partitionName(month)
        if let record = try MonthTable.record(of: month, in: table, on: connection), !record.state.takesRows {
            throw Self.retired(record)
        }
        if try isAttached(name, of: table) { return false }
        // It may be attached under another name.
        if try attached(to: table)[month] != nil { return false }
        do throws(PostgresError) {
            return try whileContended { () throws(PostgresError) in try make(month, of: table, as: name) }
        } catch {
            throw error.sqlState == .duplicateTable ? Self.detached(error) : error
        }
    }

    /// Runs `body` in a transaction, again while others' locks make it fail, up to `options.attemptsMax` times.
    func whileContended<Answer>(_ body: () throws(PostgresError) -> Answer) throws(PostgresError) -> Answer {
        var backoff = Backoff(min: .milliseconds(50), max: .seconds(2))
        while true {
            do throws(PostgresError) {
                return try connection.transaction(body)
            } catch {
                let isContention = error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
                guard isContention, backoff.attempts + 1 < options.attemptsMax else { throw error }
                try connection.interrupt.pause(for: backoff.next())
            }
        }
    }

    private static func retired(_ record: MonthRecord) -> PostgresError {
        PostgresError(
            code: .serverError, sqlState: .duplicateTable,
            message: "the month \(record.month.label) of \(record.table.rawValue) is \(record.state.rawValue)",
            hint: """
                It takes no rows: `millrace partitions restore --writable \(record.month.label)` brings it back, then \
                `millrace dead-letters retry --all` its rows.
                """)
    }

    private static func detached(_ error: PostgresError) -> PostgresError {
        var error = error
        error.hint = "The month is on its way out: see `millrace partitions list`, and `restore` it if it is wanted."
        return error
    }

    /// Makes the month that holds `microseconds` (since 1970) and the `months` after it, in every table.
    ///
    /// - Returns: the names of the partitions this call made.
    @discardableResult
    package func ensureAhead(months: Int, from microseconds: Int64) throws(PostgresError) -> [String] {
        guard let current = PartitionMonth(microseconds: microseconds) else { return [] }
        var made: [String] = []
        var failure: PostgresError?
        for table in PartitionedTable.allCases {
            for month in current...current.advanced(by: max(0, months)) {
                do throws(PostgresError) {
                    if try ensure(month, of: table) { made.append(table.partitionName(month)) }
                } catch {
                    // A detached month doesn't keep the others from being made.
                    guard error.sqlState == .duplicateTable else { throw error }
                    failure = failure ?? error
                }
            }
        }
        if let failure { throw failure }
        return made
    }

    /// The months that rows of `table` can go to.
    package func months(of table: PartitionedTable) throws(PostgresError) -> Set<PartitionMonth> {
        let result = try connection.query(
            """
            SELECT child.relname
            FROM pg_catalog.pg_inherits AS link
            JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
            WHERE link.inhparent = to_regclass($1) AND NOT link.inhdetachpending
            """, parameters: [.text("public.\(table.rawValue)")])
        return Set(
            (0..<result.rowCount).compactMap { row in
                result.string(row, 0).flatMap { PartitionMonth(partitionName: $0, of: table) }
            })
    }

    /// Every partition of every table, oldest first.
    package func list() throws(PostgresError) -> [Partition] {
        var partitions: [Partition] = []
        for table in PartitionedTable.allCases {
            let result = try connection.query(
                Self.listing, parameters: [.text("public.\(table.rawValue)")], timeout: .seconds(60))
            for row in 0..<result.rowCount {
                let name = result.string(row, 0) ?? ""
                partitions.append(
                    Partition(
                        table: table,
                        name: name,
                        month: PartitionMonth(partitionName: name, of: table),
                        bounds: result.string(row, 1) ?? "",
                        rowsEstimate: result.int(row, 2) ?? 0,
                        bytes: result.int(row, 3) ?? 0,
                        payloadIndex: result.string(row, 4).flatMap(Partition.PayloadIndex.init) ?? .absent,
                        isDetachPending: result.bool(row, 5) ?? false))
            }
        }
        guard let sizes = try CitusShards(connection)?.sizes(timeout: .seconds(60)) else { return partitions }
        return partitions.map { $0.sized(sizes[$0.name]) }
    }

    private static let listing = """
        SELECT
            child.relname,
            pg_catalog.pg_get_expr(child.relpartbound, 0),
            GREATEST(child.reltuples::bigint, pg_catalog.pg_stat_get_live_tuples(child.oid), 0),
            pg_catalog.pg_total_relation_size(child.oid),
            COALESCE(
                (
                    SELECT CASE WHEN bool_or(state.indisvalid) THEN 'valid' ELSE 'invalid' END
                    FROM pg_catalog.pg_index AS state
                    JOIN pg_catalog.pg_class AS index ON index.oid = state.indexrelid
                    JOIN pg_catalog.pg_am AS method ON method.oid = index.relam
                    JOIN pg_catalog.pg_attribute AS field
                        ON field.attrelid = child.oid AND field.attname = 'payload'
                    WHERE state.indrelid = child.oid
                        AND method.amname = 'gin'
                        AND field.attnum = ANY (state.indkey)
                    HAVING count(*) > 0
                ),
                'absent'
            ),
            link.inhdetachpending
        FROM pg_catalog.pg_inherits AS link
        JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
        WHERE link.inhparent = to_regclass($1)
        ORDER BY child.relname
        """

    // MARK: - Making one

    private func isAttached(_ name: String, of table: PartitionedTable) throws(PostgresError) -> Bool {
        let result = try connection.query(
            """
            SELECT 1
            FROM pg_catalog.pg_inherits
            WHERE inhparent = to_regclass($1) AND inhrelid = to_regclass($2) AND NOT inhdetachpending
            """,
            parameters: [.text("public.\(table.rawValue)"), .text("public.\(name)")])
        return result.rowCount > 0
    }

    /// In the caller's transaction. One transaction for all of it, so that a crash leaves no half-made month; ATTACH
    /// comes last, because its lock on the parent lasts to the COMMIT.
    private func make(
        _ month: PartitionMonth, of table: PartitionedTable, as name: String
    ) throws(PostgresError) -> Bool {
        let parent = "public.\(table.rawValue)"
        let leaf = "public.\(name)"
        // A month that a failover loses is made again: a synchronous standby that is away must not hold up writing.
        try connection.execute(
            "SET LOCAL lock_timeout = \(options.lockTimeout.milliseconds); SET LOCAL synchronous_commit = local")
        if try connection.lookForCitus() { try connection.execute(PostgresConnection.sequentialMode) }
        // Another daemon makes the same month: wait for it, then find it made.
        try connection.execute(
            "SELECT pg_advisory_xact_lock(\(AdvisoryLock.partition.rawValue), hashtext('\(leaf)'))")
        if try isAttached(name, of: table) { return false }
        try createTable(name, for: month, like: parent, "INCLUDING ALL")
        if table == .analyticsEvents, options.payloadIndex == .live {
            try connection.execute("CREATE INDEX \(payloadIndex(name, on: leaf))")
        }
        try widenPendingLists(of: leaf)
        // The CHECK implies the bound, so nothing is scanned.
        try connection.execute(
            """
            ALTER TABLE \(parent)
                ATTACH PARTITION \(leaf) FOR VALUES FROM ('\(month.lowerBound)') TO ('\(month.upperBound)')
            """)
        try handOver(leaf, of: parent)
        try AuditLog.record(.partitionCreate, name, on: connection)
        return true
    }

    /// A month's table by itself, to be filled and attached, without indexes. In a transaction, which must have seen that
    /// there is none.
    package func makeApart(_ month: PartitionMonth, of table: PartitionedTable) throws(PostgresError) {
        try createTable(
            table.partitionName(month), for: month, like: "public.\(table.rawValue)", "INCLUDING ALL EXCLUDING INDEXES")
        // Readers see nothing of it before it is attached and has the policies.
        try connection.execute("ALTER TABLE public.\(table.partitionName(month)) ENABLE ROW LEVEL SECURITY")
    }

    private func createTable(
        _ name: String, for month: PartitionMonth, like parent: String, _ including: String
    ) throws(PostgresError) {
        let leaf = "public.\(name)"
        try connection.execute(
            """
            CREATE TABLE \(leaf) (LIKE \(parent) \(including));
            ALTER TABLE \(leaf)
                ADD CONSTRAINT \(name)_created_at_check
                CHECK (created_at >= '\(month.lowerBound)' AND created_at < '\(month.upperBound)');
            ALTER TABLE \(leaf) SET (
                autovacuum_vacuum_insert_scale_factor = 0,
                autovacuum_vacuum_insert_threshold = \(options.vacuumInsertThreshold)
            );
            """)
    }

    /// Every member of the role that owns the parent goes on with the month, and whoever reads it by its own name sees one
    /// tenant's rows.
    func handOver(_ leaf: String, of parent: String) throws(PostgresError) {
        let owner = try connection.query(
            """
            SELECT quote_ident(pg_catalog.pg_get_userbyid(relowner))
            FROM pg_catalog.pg_class
            WHERE oid = to_regclass($1) AND pg_catalog.pg_get_userbyid(relowner) <> current_user
            """, parameters: [.text(parent)])
        if let owner = owner.rowCount > 0 ? owner.string(0, 0) : nil {
            try connection.execute("ALTER TABLE \(leaf) OWNER TO \(owner)")
        }
        try RowProtection.complete(of: leaf, on: connection)
    }

    /// What follows CREATE INDEX.
    func payloadIndex(_ name: String, on leaf: String) -> String {
        """
        \(name)_payload_idx ON \(leaf) USING gin (payload jsonb_path_ops)
            WITH (gin_pending_list_limit = \(options.ginPendingListBytes >> 10))
        """
    }

    /// LIKE copies the parent's GIN indexes with PostgreSQL's limit.
    func widenPendingLists(of leaf: String) throws(PostgresError) {
        let indexes = try connection.query(
            """
            SELECT state.indexrelid::regclass::text
            FROM pg_catalog.pg_index AS state
            JOIN pg_catalog.pg_class AS index ON index.oid = state.indexrelid
            JOIN pg_catalog.pg_am AS method ON method.oid = index.relam
            WHERE state.indrelid = to_regclass($1) AND method.amname = 'gin'
            """, parameters: [.text(leaf)])
        for index in (0..<indexes.rowCount).compactMap({ indexes.string($0, 0) }) {
            try connection.execute(
                "ALTER INDEX \(index) SET (gin_pending_list_limit = \(options.ginPendingListBytes >> 10))")
        }
    }
}
