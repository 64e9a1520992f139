internal import MillracePostgres

/// Out of the table: detach, archive, verify, drop.
extension MonthLifecycle {
    /// From here on the table changes no more. Its rows are counted in the transaction that says so.
    func detach(_ record: inout MonthRecord) throws {
        let (month, table) = (record.month, record.table)
        progress(MonthProgress(step: .detaching))
        try withoutRebuilds { try partitions.detach(month, of: table) }
        progress(MonthProgress(step: .counting))
        let leaf = "public.\(record.relation)"
        let columns = try MonthColumns.of(leaf, on: connection)
        var detached = record
        try connection.transaction { () throws(PostgresError) in
            try connection.execute("LOCK TABLE \(leaf) IN SHARE MODE", timeout: .seconds(60))
            let fingerprint = try MonthFingerprint.of(
                leaf, columns, on: connection, timeout: configuration.statementTimeout)
            try countBatches(of: record)
            detached.state = .detached
            detached.rows = fingerprint.rows
            detached.rowHash = fingerprint.hash
            detached.error = nil
            try write(detached, .partitionDetach)
        }
        record = detached
    }

    /// For `millrace verify`, once the rows are gone: by row of the ledger, so that a month is a few rows once its batches are
    /// joined.
    private func countBatches(of record: MonthRecord) throws(PostgresError) {
        let month: [PostgresParameter?] = [.text(record.table.rawValue), .text(record.month.firstDay)]
        try connection.query(
            "DELETE FROM public.partition_month_batches WHERE table_name = $1 AND month = $2::date", parameters: month)
        // By itself, since the rows may be on workers of Citus, and the ledger is here.
        try connection.execute(
            """
            CREATE TEMPORARY TABLE millrace_month_batches ON COMMIT DROP AS
            SELECT batch_id, count(*) AS rows
            FROM public.\(record.relation)
            GROUP BY batch_id
            """, timeout: configuration.statementTimeout)
        try connection.query(
            """
            INSERT INTO public.partition_month_batches (table_name, month, batch_id, rows)
            SELECT $1, $2::date, COALESCE(span.batch_id, found.batch_id), sum(found.rows)
            FROM pg_temp.millrace_month_batches AS found
            LEFT JOIN LATERAL (
                SELECT joined.batch_id
                FROM (
                    SELECT batch_id, last_batch_id
                    FROM public.ingest_batches
                    WHERE last_batch_id IS NOT NULL AND batch_id <= found.batch_id
                    ORDER BY batch_id DESC
                    LIMIT 1
                ) AS joined
                WHERE joined.last_batch_id >= found.batch_id
                    AND NOT EXISTS (
                        SELECT
                        FROM public.ingest_batches
                        WHERE batch_id = found.batch_id AND last_batch_id IS NULL
                    )
            ) AS span ON true
            GROUP BY 3
            """, parameters: month, timeout: configuration.statementTimeout)
    }

    func archive(_ record: inout MonthRecord) throws {
        if let manifest = try knownArchive(of: record), manifest.rows == record.rows, manifest.rowHash == record.rowHash
        {
            return try set(&record, .archived, .partitionArchive)
        }
        var archived = record
        let manifest = try writeArchive(of: &archived)
        guard manifest.rows == record.rows, manifest.rowHash == record.rowHash else {
            // Somebody wrote into the table by itself: it is counted again.
            record.state = .detaching
            return try set(&record, .detaching, nil)
        }
        try set(&archived, .archived, .partitionArchive)
        record = archived
    }

    func verify(_ record: inout MonthRecord) throws {
        guard let manifest = try knownArchive(of: record), try verifyArchive(manifest, of: record),
            manifest.rows == record.rows, manifest.rowHash == record.rowHash
        else {
            // It is written anew.
            record.manifestSHA256 = nil
            return try set(&record, .detached, nil)
        }
        try set(&record, .verified, nil)
        try removeStaged(record)
    }

    func drop(_ record: inout MonthRecord) throws {
        progress(MonthProgress(step: .dropping))
        let leaf = "public.\(record.relation)"
        guard try connection.hasRelation(leaf) else { return try set(&record, .dropped, .partitionDrop) }
        // It may be long ago that it was verified.
        guard try hasArchive(of: record) else {
            record.manifestSHA256 = nil
            return try set(&record, .detached, nil)
        }
        let columns = try MonthColumns.of(leaf, on: connection)
        var dropped = record
        try connection.transaction { () throws(PostgresError) in
            if try connection.lookForCitus() { try connection.execute(PostgresConnection.sequentialMode) }
            try connection.execute("SET LOCAL lock_timeout = '10s'")
            try connection.execute("LOCK TABLE \(leaf) IN ACCESS EXCLUSIVE MODE", timeout: .seconds(60))
            // Somebody may have attached it by hand; the next look finds it so.
            guard try partitions.attachment(of: record.month, in: record.table) == .apart else { return }
            let fingerprint = try MonthFingerprint.of(
                leaf, columns, on: connection, timeout: configuration.statementTimeout)
            if fingerprint.matches(record) {
                dropped.state = .dropped
                try connection.execute("DROP TABLE \(leaf)", timeout: .seconds(600))
                try write(dropped, .partitionDrop)
            } else {
                // Somebody wrote into the table by itself: it is counted and archived again.
                dropped.state = .detaching
                try write(dropped, nil)
            }
        }
        record = dropped
    }
}
