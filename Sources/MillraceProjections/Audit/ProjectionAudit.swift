package import MillracePostgres

/// Counts a pack's live projections again from the rows, and compares. Blocks; the connection must be idle.
///
/// All in one transaction that sees one moment and is rolled back: the batches that are folded then are folded once more into
/// tables of their own. Writers and readers go on meanwhile; a rebuild waits. With Citus, writers wait too.
package struct ProjectionAudit {
    private let connection: PostgresConnection
    private let pack: PackDefinition
    private let lock: ProjectionsLock
    /// Differences that are kept of each table.
    private let limit: Int
    /// Limit of one statement.
    private let timeout: Duration

    package init(
        connection: PostgresConnection, pack: PackDefinition, limit: Int = 10, timeout: Duration = .seconds(4 * 3600)
    ) {
        self.connection = connection
        self.pack = pack
        self.limit = limit
        self.timeout = timeout
        lock = ProjectionsLock(connection: connection)
    }

    /// `progress` is told the rows counted and those there are. Throws `ProjectionsError` and `PostgresError`.
    package func run(progress: (_ rows: Int, _ of: Int) -> Void) throws -> ProjectionRecount {
        try lock.hold(alone: false)
        defer { lock.release() }
        try lock.beginStill()
        // What the recount made is dropped.
        defer { lock.rollBack() }
        let live = try liveVersion()
        let schema = "projections_\(pack.name)_recount_\(connection.backendID)"
        try connection.execute("CREATE SCHEMA \(schema)")
        try PackInstaller(connection: connection).runSQL(of: pack, in: schema)
        let target = try FoldTarget.load(
            versionID: live.id, parkedID: -live.id, schema: schema, pack: pack, on: connection)
        var recount = ProjectionRecount(
            pack: pack.name, version: pack.version, batches: 0, rows: 0, batchesLeftOut: 0, rowsUnknown: 0,
            batchesUnknown: [], unread: UnreadRows(), sealedMonths: [], tables: [])
        try foldAll(target, &recount, progress)
        let sealed = try SealedMonths(pack: pack, connection: connection).find(timeout: timeout)
        recount.sealedMonths = Set(sealed.values.joined()).sorted()
        for fold in pack.folds {
            try compare(fold, target, sealed: sealed[fold.rowsTable] ?? [], &recount)
        }
        return recount
    }

    private func liveVersion() throws -> PackVersion {
        guard try PackVersion.isCatalogThere(connection) else {
            throw ProjectionsError(
                .notMigrated, "the database has no catalog of projections", hint: "Run `millrace migrate up`.")
        }
        let live = try PackVersion.all(of: pack.name, connection).live
        guard let live else {
            throw ProjectionsError(
                .notInstalled, pack: pack.name, "no version is live",
                hint: "Run `millrace migrate up`, then `millrace projections rebuild \(pack.name)`.")
        }
        guard live.isMade(from: pack) else {
            throw ProjectionsError(
                .definitionChanged, pack: pack.name,
                "version \(live.version) is live, and was made from other files than these",
                hint: "Run `millrace projections rebuild \(pack.name)`, or verify with the files that made it.")
        }
        return live
    }

    /// Month by month, as the rows lie: what that costs does not depend on how batches cut them.
    private func foldAll(
        _ target: FoldTarget, _ recount: inout ProjectionRecount, _ progress: (Int, Int) -> Void
    ) throws {
        let totals = try connection.execute(
            """
            SELECT
                COALESCE(sum(rows) FILTER (WHERE folded @> ARRAY[\(target.versionID)]), 0),
                COALESCE(sum(batches) FILTER (WHERE folded @> ARRAY[\(target.versionID)]), 0),
                COALESCE(sum(batches) FILTER (WHERE NOT folded @> ARRAY[\(target.versionID)]), 0)
            FROM public.ingest_batches
            """, timeout: timeout)
        recount.batches = totals.int(0, 1) ?? 0
        recount.batchesLeftOut = totals.int(0, 2) ?? 0
        let isLeftOut = recount.batchesLeftOut > 0 ? try leaveOut(target.versionID) : ""
        let fold = BatchFold(slot: 0)
        let rows = BatchRows(connection: connection, pack: pack)
        var ledger = try LedgerPresence(connection: connection, timeout: timeout)
        // A page is too short for the server's JIT to pay off.
        try connection.execute("SET LOCAL millrace.slot = 0; SET LOCAL jit = off")
        for leaf in try Partitions(connection: connection).list() where !leaf.isDetachPending {
            let name = leaf.relation
            var pages = try LeafPages(name, connection: connection)
            while let page = pages.take() {
                fold.begin([target])
                var batches = RowBatches()
                let count = try rows.read(
                    leaf.table, from: name, where: page + isLeftOut, into: fold, timeout: timeout
                ) { batches.add($0) }
                pages.adapt(to: count)
                recount.rows += count
                recount.add(unknown: try ledger.missing(batches), in: batches, limit: limit)
                let outcome = try fold.apply(batchID: batches.ids.last ?? 0, on: connection)
                recount.unread.append(fold.unread)
                if let failure = outcome.failures.first { throw failure.error }
                progress(recount.rows, totals.int(0, 0) ?? 0)
            }
        }
        recount.add(surplus: ledger.surplus, limit: limit)
    }

    /// Notes the batches that the version lacks. Returns the condition that a row is of none of them.
    private func leaveOut(_ versionID: Int32) throws(PostgresError) -> String {
        try connection.execute(
            """
            CREATE TEMPORARY TABLE recount_left_out (
                batch_id bigint NOT NULL,
                last_batch_id bigint
            ) ON COMMIT DROP;
            INSERT INTO recount_left_out
            SELECT DISTINCT batch_id, last_batch_id
            FROM public.ingest_batches
            WHERE NOT folded @> ARRAY[\(versionID)];
            CREATE INDEX ON recount_left_out (batch_id) WHERE last_batch_id IS NULL;
            CREATE INDEX ON recount_left_out (batch_id, last_batch_id) WHERE last_batch_id IS NOT NULL;
            ANALYZE recount_left_out
            """, timeout: timeout)
        let plain = """
             AND NOT EXISTS (
                SELECT FROM recount_left_out AS lacking
                WHERE lacking.batch_id = stored.batch_id AND lacking.last_batch_id IS NULL
            )
            """
        if connection.hasCitus { return try leftOutApart() }
        let spans = try connection.execute(
            "SELECT EXISTS (SELECT FROM recount_left_out WHERE last_batch_id IS NOT NULL)")
        guard spans.bool(0, 0) == true else { return plain }
        return plain + """
             AND NOT COALESCE(
                (
                    SELECT lacking.last_batch_id >= stored.batch_id
                    FROM recount_left_out AS lacking
                    WHERE lacking.batch_id <= stored.batch_id AND lacking.last_batch_id IS NOT NULL
                    ORDER BY lacking.batch_id DESC
                    LIMIT 1
                ) AND NOT EXISTS (
                    SELECT FROM public.ingest_batches AS plain
                    WHERE plain.batch_id = stored.batch_id AND plain.last_batch_id IS NULL
                ),
                false
            )
            """
    }

    /// The same condition in questions that don't refer to the row, since Citus takes no others.
    private func leftOutApart() throws(PostgresError) -> String {
        let spans = try connection.execute(
            "SELECT batch_id, last_batch_id FROM recount_left_out WHERE last_batch_id IS NOT NULL ORDER BY 1",
            timeout: timeout)
        let ranges = (0..<spans.rowCount).map { row in
            let within = "batch_id BETWEEN \(spans.count(row, 0)) AND \(spans.count(row, 1))"
            return """
                 AND NOT (\(within) AND batch_id NOT IN (
                    SELECT batch_id FROM public.ingest_batches WHERE last_batch_id IS NULL AND \(within)
                ))
                """
        }
        return " AND batch_id NOT IN (SELECT batch_id FROM recount_left_out WHERE last_batch_id IS NULL)"
            + ranges.joined()
    }

    private func compare(
        _ fold: FoldDefinition, _ target: FoldTarget, sealed: [String], _ recount: inout ProjectionRecount
    ) throws(PostgresError) {
        let tables = TableComparison(connection: connection, schema: target.schema, limit: limit, timeout: timeout)
        let time = SealedMonths.bucket(of: fold)
        // A table without buckets can't be compared when rows of some months are gone.
        guard sealed.isEmpty || time != nil else { return }
        let condition = sealed.isEmpty ? nil : time.map { "NOT \(SealedMonths.condition($0, sealed))" }
        switch fold.kind {
        case .counter(let counter), .top(let counter):
            let keys = ["tenant_id"] + counter.dimensions.map(\.column) + (counter.bucket == nil ? [] : ["bucket"])
            recount.tables.append(
                try tables.summed(
                    fold.table, keys: keys, values: ["n"] + counter.sums.map(\.column), where: condition))
        case .unique(let unique):
            let keys = ["tenant_id"] + unique.dimensions.map(\.column) + (unique.bucket == nil ? [] : ["bucket"])
            recount.tables.append(
                try SketchComparison(connection: connection, schema: target.schema, limit: limit, timeout: timeout)
                    .compare(
                        fold.table, keys: keys,
                        isChunked: unique.isChunked(target.tables[fold.table]?.columns.map(\.name) ?? []),
                        where: condition))
        case .append(let columns):
            recount.tables.append(
                try tables.rows(
                    fold.table, keys: AppendKey.columns,
                    columns: columns.map(\.column) + (fold.cascades.isEmpty ? [] : ["deleted_at"]), where: condition))
        case .entity(let entity):
            recount.tables.append(
                try tables.rows(
                    fold.table, keys: ["tenant_id"] + entity.key.map(\.column),
                    columns: ["event_at", "event_id", "deleted_at"] + entity.columns.map(\.column), where: nil))
            if target.tables[HistoryTables.events(of: fold.table)] != nil {
                recount.tables.append(try tables.waiting(fold, live: target.versionID, counted: target.parkedID))
            }
            for counts in entity.counts {
                let keys = ["tenant_id"] + counts.by + (counts.bucket == nil ? [] : ["bucket"])
                var compared = try tables.summed(
                    counts.table, keys: keys, values: ["n"] + counts.sums, where: nil)
                if compared.differenceCount == 0, let table = target.tables[fold.table] {
                    compared = try tables.counts(counts, of: table)
                }
                recount.tables.append(compared)
            }
        }
    }
}
