internal import MillraceEvent
internal import MillracePostgres

/// Which buckets of sketches rows were counted in that are changed: a value can't be taken out of a sketch, so these are made
/// anew from the rows (`SketchRenewal`).
struct ErasedSketches {
    private struct Bucket: Hashable {
        var version: Int32
        var fold: String
        var tenant: Int32
        /// nil: there are none; the whole table.
        var start: Timestamp?
    }

    private let targets: [FoldTarget]
    private var buckets: Set<Bucket> = []

    var count: Int { buckets.count }

    init(_ targets: [FoldTarget]) {
        self.targets = targets
    }

    mutating func add(_ row: StoredRow, of table: PartitionedTable, versions: Set<Int32>?) {
        let type = row.text("event_type")
        for target in targets where versions?.contains(target.versionID) ?? true {
            for fold in target.pack.folds where fold.rowsTable == table {
                guard case .unique(let unique) = fold.kind,
                    table == .conversations || fold.source.patterns.contains(where: { $0.matches(type) })
                else { continue }
                let time = row.time("created_at").microseconds - Timestamp.postgresEpoch
                let start = unique.bucket.map { bucket -> Timestamp in
                    var span = BucketSpan(bucket)
                    return Timestamp(microseconds: span.start(of: time) + Timestamp.postgresEpoch)
                }
                buckets.insert(
                    Bucket(
                        version: target.versionID, fold: fold.name, tenant: row.integer("tenant_id"), start: start))
            }
        }
    }

    /// In the transaction that changes the rows.
    func note(on connection: PostgresConnection) throws(PostgresError) {
        guard !buckets.isEmpty else { return }
        let all = Array(buckets)
        try connection.query(
            """
            INSERT INTO public.erasure_sketches (version_id, fold, tenant_id, bucket)
            SELECT * FROM unnest($1::integer[], $2::text[], $3::integer[], $4::timestamptz[])
            ON CONFLICT DO NOTHING
            """,
            parameters: [
                .array(all.map(\.version)), .array(all.map(\.fold)), .array(all.map(\.tenant)),
                .array(all.map { $0.start?.rfc3339 ?? SketchRenewal.wholeTable }),
            ])
    }
}
