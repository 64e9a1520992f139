internal import MillracePostgres
internal import MillraceProjections

/// Writes a month's rows as lines: what PostgreSQL makes of a row as JSON, in the order of the primary key.
///
/// ```
/// {"id":"…","tenant_id":0,"event_type":"…","user_id":null,"payload":{…},"created_at":"2026-08-01T00:00:00+00:00",…}
/// ```
struct ArchiveWriter {
    let connection: PostgresConnection
    let configuration: ArchiveConfiguration
    let layout: ArchiveLayout
    /// Of this Millrace.
    let version: String

    /// In a REPEATABLE READ transaction, so that what is counted is what is written. The archive has its name, and is on disk,
    /// when this returns; one that was there before is replaced. Blocks.
    ///
    /// - Parameter leaf: the month's table, as SQL names it.
    func write(
        _ leaf: String, _ progress: (MonthProgress) throws -> Void
    ) throws -> (manifest: ArchiveManifest, bytes: [UInt8]) {
        let columns = try MonthColumns.of(leaf, on: connection)
        let fingerprint = try MonthFingerprint.of(
            leaf, columns, on: connection, timeout: configuration.statementTimeout)
        try ArchiveDisk.remove(layout.writing)
        try ArchiveDisk.makeDirectory(layout.writing)
        let parts = try writeParts(leaf, columns, of: fingerprint.rows, progress)
        let facts = try connection.execute(
            """
            SELECT
                current_setting('server_version'),
                (SELECT max(version) FROM public.millrace_migrations),
                to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            """)
        let live = try PackVersion.all(connection).filter { $0.state == .live }
        let manifest = ArchiveManifest(
            table: layout.table, month: layout.month, fingerprint: fingerprint, parts: parts, columns: columns,
            schema: facts.count(0, 1), projections: live.map { .init(pack: $0.pack, version: $0.version) },
            postgresql: facts.string(0, 0) ?? "", millrace: version, writtenAt: facts.string(0, 2) ?? "")
        let bytes = try manifest.encoded()
        try ArchiveFile.write(bytes, to: "\(layout.writing)/\(ArchiveLayout.manifestName)")
        try ArchiveDisk.synchronize(layout.writing)
        try putInPlace()
        return (manifest, bytes)
    }

    private func writeParts(
        _ leaf: String, _ columns: [ArchiveManifest.Column], of rows: Int, _ progress: (MonthProgress) throws -> Void
    ) throws -> [ArchiveManifest.Part] {
        var parts: [ArchiveManifest.Part] = []
        var file: PartFile?
        var failure: (any Error)?
        var written = 0
        let list = columns.map(\.quoted).joined(separator: ", ")
        // Workers of Citus would each order their own rows, and call the members of a subquery's row f1, f2.
        let lines =
            try connection.lookForCitus()
            ? "\(leaf) AS line ORDER BY line.created_at, line.id, line.tenant_id"
            : "(SELECT \(list) FROM \(leaf) ORDER BY created_at, id, tenant_id) AS line"
        try connection.copyOut(
            """
            COPY (
                SELECT row_to_json(line)
                FROM \(lines)
            ) TO STDOUT (FORMAT binary)
            """, timeout: configuration.statementTimeout
        ) { row in
            do {
                let current = try file ?? PartFile(path(of: parts.count), level: configuration.level)
                file = current
                // One field: its count, its length, its bytes.
                try current.write(UnsafeRawBufferPointer(rebasing: row.dropFirst(6)))
                written += 1
                if current.bytes >= configuration.partBytes {
                    parts.append(try current.finish(name: ArchiveLayout.partName(parts.count)))
                    file = nil
                }
                if written % 1000 == 0 { try progress(MonthProgress(step: .archiving, rows: written, of: rows)) }
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        if let file { parts.append(try file.finish(name: ArchiveLayout.partName(parts.count))) }
        guard written == rows else {
            throw ArchiveError(
                .archiveMismatch, "\(leaf) has \(rows) rows, of which \(written) came",
                hint: "Run it again; the month is still there.")
        }
        return parts
    }

    private func path(of part: Int) -> String { "\(layout.writing)/\(ArchiveLayout.partName(part))" }

    private func putInPlace() throws(ArchiveError) {
        try ArchiveDisk.makeDirectory(ArchiveDisk.parent(of: layout.path))
        if ArchiveDisk.isDirectory(layout.path) {
            try ArchiveDisk.remove(layout.replaced)
            try ArchiveDisk.move(layout.path, to: layout.replaced)
        }
        try ArchiveDisk.move(layout.writing, to: layout.path)
        try ArchiveDisk.remove(layout.replaced)
    }
}
