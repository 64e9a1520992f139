internal import MillracePostgres

/// Loads an archive's lines into a table of a month's columns. In a transaction; blocks.
struct ArchiveLoader {
    /// Of lines that are sent to the server at a time.
    private static let pieceBytes = 8 << 20
    private static let lines = "pg_temp.millrace_archive_lines"

    let connection: PostgresConnection
    let timeout: Duration

    /// Throws `archive_damaged` when a file is not what the manifest says.
    ///
    /// - Parameters:
    ///   - directory: of the files.
    ///   - relation: as SQL names it.
    func load(
        _ manifest: ArchiveManifest, from directory: String, into relation: String, _ step: MonthProgress.Step,
        _ progress: (MonthProgress) throws -> Void
    ) throws {
        try connection.execute("CREATE TEMPORARY TABLE millrace_archive_lines (line text NOT NULL) ON COMMIT DROP")
        let insert = try insertion(of: manifest.columns, into: relation)
        var piece: [UInt8] = []
        var loaded = 0
        for part in manifest.parts {
            try PartReader(path: "\(directory)/\(part.file)", part: part).read { lines in
                for line in lines {
                    Self.append(line, to: &piece)
                    guard piece.count >= Self.pieceBytes else { continue }
                    try send(piece, insert)
                    piece.removeAll(keepingCapacity: true)
                }
                loaded += lines.count
                try progress(MonthProgress(step: step, rows: loaded, of: manifest.rows))
            }
        }
        try send(piece, insert)
        try connection.execute("DROP TABLE \(Self.lines)")
    }

    private func send(_ piece: [UInt8], _ insert: String) throws(PostgresError) {
        guard !piece.isEmpty else { return }
        _ = try connection.copyIn("COPY \(Self.lines) (line) FROM STDIN (FORMAT binary)", timeout: timeout) {
            (copy) throws(PostgresError) in try copy.write(piece)
        }
        try connection.execute(insert, timeout: timeout)
        try connection.execute("TRUNCATE \(Self.lines)")
    }

    /// Throws `archive_mismatch` where the table lacks a column.
    private func insertion(of columns: [ArchiveManifest.Column], into relation: String) throws -> String {
        let there = Set(try MonthColumns.of(relation, on: connection).map(\.name))
        let lacking = columns.filter { !there.contains($0.name) }.map(\.name)
        guard lacking.isEmpty else {
            throw ArchiveError(
                .archiveMismatch, "the table lacks the columns \(lacking.joined(separator: ", ")) of the archive",
                hint: "Add them to the table (the manifest has their types), then try again.")
        }
        let list = columns.map(\.quoted)
        return """
            INSERT INTO \(relation) (\(list.joined(separator: ", ")))
            SELECT \(list.map { "stored.\($0)" }.joined(separator: ", "))
            FROM \(Self.lines) AS archived
            CROSS JOIN LATERAL json_populate_record(NULL::\(relation), archived.line::json) AS stored
            """
    }

    /// A tuple of one field, as binary COPY wants it.
    private static func append(_ line: ArraySlice<UInt8>, to piece: inout [UInt8]) {
        piece += [0, 1]
        withUnsafeBytes(of: UInt32(line.count).bigEndian) { piece += $0 }
        piece += line
    }
}
