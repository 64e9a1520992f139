internal import MillracePostgres

/// Makes sketches anew from the rows, without keeping a batch waiting: a value can't be taken out of one. Blocking.
///
/// The rows of a bucket are put aside first, slot by slot, where readers still see them; from then on writers begin new
/// ones. All rows of the bucket are then folded again, in parts, and at last what was put aside goes. Whatever ends between,
/// to begin again leads there too.
struct SketchRenewal {
    /// In the place of a bucket: all rows of the tenant.
    static let wholeTable = "-infinity"
    /// What the slots of rows are raised by that are put aside.
    private static let asideSlot = 1000
    private static let slots = 0...Rebuild.slot

    let connection: PostgresConnection
    let targets: [FoldTarget]
    var tally = ErasureTally()
    let timeout: Duration

    /// Of all that is noted in `erasure_sketches`.
    func run(progress: (_ done: Int, _ of: Int) throws -> Void) throws {
        try connection.query(
            "DELETE FROM public.erasure_sketches WHERE NOT version_id = ANY ($1::integer[])",
            parameters: [.array(targets.map(\.versionID))])
        let noted = try connection.execute(
            """
            SELECT version_id, fold, tenant_id, CASE WHEN isfinite(bucket) THEN to_char(bucket AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS+00') END
            FROM public.erasure_sketches
            ORDER BY 1, 2, 3, bucket
            """, timeout: timeout)
        for row in 0..<noted.rowCount {
            try progress(row, noted.rowCount)
            let (version, name) = (noted.count(row, 0), noted.string(row, 1) ?? "")
            let bucket = noted.string(row, 3)
            if let target = targets.first(where: { Int($0.versionID) == version }),
                let fold = target.pack.folds.first(where: { $0.name == name })
            {
                // What is not there can't be counted again; a month that comes back is.
                guard try isCountable(bucket, fold, of: target) else { continue }
                try renew(fold, of: target, tenant: noted.count(row, 2), bucket: bucket)
            }
            try connection.transaction { () throws(PostgresError) in
                var counts = ErasureCounts()
                counts.sketches = try connection.query(
                    """
                    DELETE FROM public.erasure_sketches
                    WHERE version_id = $1::integer AND fold = $2 AND tenant_id = $3::integer AND bucket = $4::timestamptz
                    """,
                    parameters: [
                        .integer(version), .text(name), .integer(noted.count(row, 2)), .text(bucket ?? Self.wholeTable),
                    ]
                ).affectedRows
                try tally.add(counts, on: connection)
            }
        }
    }

    private func isCountable(_ bucket: String?, _ fold: FoldDefinition, of target: FoldTarget) throws -> Bool {
        guard let bucket else {
            return try SealedMonths(pack: target.pack, connection: connection).find(timeout: timeout)[fold.rowsTable]
                == nil
        }
        let months = try Partitions(connection: connection).months(of: fold.rowsTable)
        return months.contains { "\($0.lowerBound)".prefix(7) == bucket.prefix(7) }
    }

    private func renew(_ fold: FoldDefinition, of target: FoldTarget, tenant: Int, bucket: String?) throws {
        guard case .unique(let unique) = fold.kind else { return }
        let table = "\"\(target.schema)\".\"\(fold.table)\""
        func isOfBucket(_ alias: String) -> String {
            "\(alias).tenant_id = \(tenant)" + (bucket.map { " AND \(alias).bucket = '\($0)'::timestamptz" } ?? "")
        }
        for slot in Self.slots {
            try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
                // As `SketchStatements.turn`. What was put aside before is enough: the rest comes again from the rows.
                try connection.execute(
                    """
                    SELECT pg_advisory_xact_lock(hashtextextended('millrace sketches \(table) \(slot)', 0));
                    DELETE FROM \(table) AS t
                    WHERE \(isOfBucket("t")) AND t.slot = \(slot) AND EXISTS (
                        SELECT FROM \(table) AS aside
                        WHERE \(isOfBucket("aside")) AND aside.slot = \(slot + Self.asideSlot)
                    );
                    UPDATE \(table) AS t
                    SET slot = t.slot + \(Self.asideSlot)
                    WHERE \(isOfBucket("t")) AND t.slot = \(slot)
                    """, timeout: timeout)
            }
        }
        try refold(fold, of: target, unique, tenant: tenant, bucket: bucket)
        try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
            try connection.execute(
                "DELETE FROM \(table) AS t WHERE \(isOfBucket("t")) AND t.slot >= \(Self.asideSlot)", timeout: timeout)
        }
    }

    /// All rows of the bucket, in parts of a leaf's pages.
    private func refold(
        _ fold: FoldDefinition, of target: FoldTarget, _ unique: FoldKind.Unique, tenant: Int, bucket: String?
    ) throws {
        var alone = target.pack
        alone.folds = [fold]
        let own = FoldTarget(
            versionID: target.versionID, schema: target.schema, pack: alone, tables: target.tables)
        let rows = BatchRows(connection: connection, pack: alone)
        let counted = BatchFold(slot: Rebuild.slot)
        var condition = "stored.tenant_id = \(tenant)"
        if let bucket, let unit = unique.bucket {
            condition +=
                " AND stored.created_at >= '\(bucket)'::timestamptz AND stored.created_at "
                + "< ('\(bucket)'::timestamptz AT TIME ZONE 'UTC' + interval '1 \(unit.rawValue)') AT TIME ZONE 'UTC'"
        }
        for leaf in try Partitions(connection: connection).list()
        where leaf.table == fold.rowsTable && !leaf.isDetachPending {
            let span = try connection.query(
                "SELECT min(created_at)::text, max(created_at)::text FROM \(leaf.relation) AS stored WHERE \(condition)",
                timeout: timeout)
            guard span.string(0, 0) != nil else { continue }
            var pages = try LeafPages(leaf.relation, connection: connection)
            while let page = pages.take() {
                let count = try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
                    counted.begin([own])
                    let count = try rows.read(
                        fold.rowsTable, from: leaf.relation, where: "\(page) AND \(condition)", into: counted,
                        timeout: timeout
                    ) { _ in }
                    if let failure = try counted.apply(batchID: 0, on: connection).failures.first {
                        throw failure.error
                    }
                    return count
                }
                pages.adapt(to: count)
            }
        }
    }
}
