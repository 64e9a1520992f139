internal import MillraceChannels
package import MillraceEvent
import MillracePostgres
import MillraceProjections

/// Compares a batch with the rows of sequences that the ledger holds already: they are the same lines when a COMMIT's answer
/// was lost and the borders are others after a restart, or when another host runs a copy of the spool; by no means when two
/// copies gave out the same sequences. Blocking.
struct OverlapAudit {
    /// Lines that one statement looks for.
    private static let linesAtOnce = 1000

    let reader: BatchReader
    let spoolID: UniqueID
    let connection: PostgresConnection

    /// Throws `SequenceConflict` when lines of `covered`, which the ledger holds, are in no table, and no more rows of those
    /// batches were removed since.
    func check(_ batch: Batch, covered: [Range<UInt64>], partBytesMax: Int) throws {
        let covered = SequenceSet(covered)
        var missing: [UInt64] = []
        var encoded = EncodedBatch(batchID: 0)
        for part in batch.parts(bytesMax: partBytesMax) {
            try reader.read(part, into: &encoded)
            for leaf in reader.encoder.leaves { missing += try self.missing(leaf, covered) }
        }
        guard let first = missing.min(), missing.count > (try removedRows(batch.sequences)) else { return }
        throw SequenceConflict(spool: spoolID, sequences: batch.sequences, missing: missing.count, first: first)
    }

    /// Sequences of the leaf's rows that are neither in their table nor dead.
    private func missing(_ leaf: EncodedLeaf, _ covered: SequenceSet) throws(PostgresError) -> [UInt64] {
        var identities: [RowIdentity] = []
        let columns = leaf.key.table.columns
        leaf.forEachRow { sequence, row in
            guard covered.contains(sequence..<sequence + 1),
                let identity = RowIdentity(sequence, row, columns: columns)
            else { return }
            identities.append(identity)
        }
        var missing: [UInt64] = []
        for start in stride(from: 0, to: identities.count, by: Self.linesAtOnce) {
            let page = identities[start..<min(start + Self.linesAtOnce, identities.count)]
            let rows = try connection.query(
                connection.hasCitus
                    ? Self.missingApart(from: leaf.key.parent)
                    : """
                    SELECT line.sequence
                    FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $6::integer[])
                        AS line (sequence, id, microseconds, tenant_id)
                    WHERE NOT EXISTS (
                        SELECT
                        FROM \(leaf.key.parent) AS stored
                        WHERE stored.id = line.id
                            AND stored.tenant_id = line.tenant_id
                            AND stored.created_at
                                = timestamptz '2000-01-01 00:00:00+00' + line.microseconds * interval '1 microsecond'
                    ) AND NOT EXISTS (
                        SELECT
                        FROM public.dead_letters AS letter
                        WHERE letter.spool_id = $4 AND letter.sequence = line.sequence
                    ) AND NOT EXISTS (
                        SELECT
                        FROM public.event_ids AS known
                        WHERE known.id = line.id AND known.tenant_id = line.tenant_id AND $5
                    )
                    """,
                parameters: [
                    .array(page.map(\.sequence)), .array(page.map { "\($0.id)" }), .array(page.map(\.createdAt)),
                    .text("\(spoolID)"),
                    .text(leaf.key.needsEventID ? "true" : "false"), .array(page.map(\.tenant)),
                ])
            missing += (0..<rows.rowCount).compactMap { rows.int($0, 0).map { UInt64($0) } }
        }
        return missing
    }

    /// Rows that the ledger says batches of `sequences` brought and that are not there any more: of an erased user, or of a
    /// month that was retired.
    private func removedRows(_ sequences: Range<UInt64>) throws(PostgresError) -> Int {
        if connection.hasCitus { return try removedRowsApart(sequences) }
        let answer = try connection.execute(
            """
            SELECT sum(batch.rows) - sum(
                (SELECT count(*) FROM public.analytics_events AS stored WHERE stored.batch_id = batch.batch_id)
                + (SELECT count(*) FROM public.conversations AS stored WHERE stored.batch_id = batch.batch_id)
            )
            FROM public.ingest_batches AS batch
            WHERE spool_id = '\(spoolID)' AND first_seq < \(sequences.upperBound) AND last_seq >= \(sequences.lowerBound)
            """)
        return answer.string(0, 0).flatMap { Int($0) } ?? 0
    }
}

/// The ledger holds sequences of this spool, and the lines that the spool has under them are not in the tables: another copy
/// of the spool, run by a version without epochs, gave out the same sequences.
package struct SequenceConflict: Error, Sendable, CustomStringConvertible {
    package var spool: UniqueID
    /// Of the batch.
    package var sequences: Range<UInt64>
    /// Lines that are in no table.
    package var missing: Int
    /// The first of them.
    package var first: UInt64

    package var description: String {
        "the ledger holds sequences \(sequences.lowerBound)…\(sequences.upperBound - 1) of spool \(spool) with other lines "
            + "than this spool has: \(missing) of them are in no table, the first at \(first). Two copies of the spool gave "
            + "out the same sequences. Nothing was written over; move this spool directory away (a new one is made), and "
            + "send its lines again from there."
    }
}

/// What names a row.
struct RowIdentity {
    var sequence: UInt64
    var id: UniqueID
    /// In microseconds since 2000-01-01T00:00:00Z, as PostgreSQL counts.
    var createdAt: Int64
    var tenant: Int32

    /// `columns`: of the row's table. nil when the row has no `id`, `created_at` or `tenant_id`.
    init?(_ sequence: UInt64, _ row: CopyRows, columns: [String]) {
        guard let idColumn = columns.firstIndex(of: "id"), let timeColumn = columns.firstIndex(of: "created_at"),
            let tenantColumn = columns.firstIndex(of: "tenant_id"),
            let id = row.value(ofColumn: idColumn).flatMap({ UniqueID(bytes: $0) }),
            let createdAt = row.value(ofColumn: timeColumn), createdAt.count == 8,
            let tenant = row.value(ofColumn: tenantColumn), tenant.count == 4
        else { return nil }
        self.sequence = sequence
        self.id = id
        self.createdAt = Int64(bigEndian: createdAt.loadUnaligned(as: Int64.self))
        self.tenant = Int32(bigEndian: tenant.loadUnaligned(as: Int32.self))
    }
}
