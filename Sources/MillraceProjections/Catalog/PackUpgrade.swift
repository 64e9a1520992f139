internal import MillracePostgres

/// Brings the live version of a pack that ships with Millrace to the newest one in place, when that differs only in how
/// sketches are kept, in indexes and in views: no row is read again, and months whose rows are gone keep their counts.
struct PackUpgrade {
    /// By pack: the definitions of versions 1 (sketches in one row each) and 2, and the version that differs in nothing else.
    private static let known: [String: (hashes: Set<String>, next: Int)] = [
        "analytics": (
            [
                "b0ba783c125933a6480dff8d55c8ea46d1b217d9c0a6d432040b863489f9f764",
                "03a6b85f727b5b8e4477c1343ba8376342dc2f1375683a5501ca3d9ae3364dbf",
            ], 3
        )
    ]

    private let live: PackVersion
    private let pack: PackDefinition

    /// Nil when there is no upgrade from `live` to `pack`.
    init?(of live: PackVersion?, to pack: PackDefinition) {
        guard let live, let known = Self.known[pack.name], known.hashes.contains(live.hash), pack.version == known.next
        else { return nil }
        self.live = live
        self.pack = pack
    }

    /// In a transaction that holds the lock alone. Throws XX001 when a sketch can't be read.
    func run(on connection: PostgresConnection, timeout: Duration = .seconds(3600)) throws {
        try chunkSketches(on: connection, timeout: timeout)
        try connection.execute(
            "SET LOCAL search_path = \(VersionObjects.searchPath(live.schema))")
        for statement in readingStatements { try connection.execute(statement, timeout: timeout) }
        try connection.execute("SET LOCAL search_path TO DEFAULT")
        let views = try ReadingViews.install(pack, schema: live.schema, on: connection)
        try connection.query(
            """
            UPDATE projections.versions
            SET version = $2::integer,
                definition_hash = $3,
                objects = ARRAY(SELECT DISTINCT entry FROM unnest(objects || $4::text[]) AS entry ORDER BY entry)
            WHERE id = $1::integer
            """,
            parameters: [
                .integer(live.id), .integer(pack.version), .text(pack.hash), .array(views.map { "relation \($0)" }),
            ])
    }

    /// The indexes and views of up.sql, so that those which are there stay or are replaced.
    private var readingStatements: [String] {
        let pairs = [("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS "), ("CREATE VIEW ", "CREATE OR REPLACE VIEW ")]
        return pack.upSQL.split(separator: ";\n").compactMap { text in
            let lines = text.split(separator: "\n").drop { $0.hasPrefix("--") }
            let statement = lines.joined(separator: "\n")
            return pairs.first { statement.hasPrefix($0.0) }.map { $0.1 + statement.dropFirst($0.0.count) }
        }
    }

    private func chunkSketches(on connection: PostgresConnection, timeout: Duration) throws {
        for fold in pack.folds {
            guard case .unique(let unique) = fold.kind else { continue }
            let tables = try CatalogTable.read(schema: live.schema, prefix: fold.table, on: connection)
            guard let table = tables[fold.table], !unique.isChunked(table.columns.map(\.name)) else { continue }
            let (name, key) = ("\(live.schema).\(fold.table)", table.primaryKey.map { "\"\($0)\"" })
            try connection.execute(
                """
                CREATE TEMPORARY TABLE \(fold.table)_old ON COMMIT DROP AS TABLE \(name);
                TRUNCATE \(name);
                ALTER TABLE \(name)
                    ADD COLUMN chunk smallint NOT NULL,
                    DROP CONSTRAINT \(fold.table)_pkey,
                    ADD CONSTRAINT \(fold.table)_pkey PRIMARY KEY (\(key.joined(separator: ", ")), chunk),
                    ALTER COLUMN sketch SET STORAGE EXTENDED,
                    SET (fillfactor = 50)
                """, timeout: timeout)
            try SketchCarryOver(connection: connection, timeout: timeout).copy(
                from: "pg_temp.\(fold.table)_old", to: name, columns: key.map { ($0, "o.\($0)") })
        }
    }
}

/// Copies the sketches of a table that has each in one row into a table that has them in chunks. In a transaction during
/// which nobody writes either; blocks.
struct SketchCarryOver {
    /// Up to 64 KiB each.
    private static let rowsAtOnce = 16
    private static let fetch = "FETCH \(rowsAtOnce) FROM whole_sketches"

    let connection: PostgresConnection
    let timeout: Duration

    /// `columns`: the key's but for the chunk, as the new table names them, and their values out of a row `o` of the old one.
    /// `condition`: of rows that are copied. Throws XX001 when a sketch can't be read.
    func copy(
        from old: String, to new: String, columns: [(name: String, value: String)], where condition: String = "true"
    ) throws(PostgresError) {
        let insertion = """
            INSERT INTO \(new) (\(columns.map(\.name).joined(separator: ", ")), chunk, sketch)
            SELECT \(columns.map(\.value).joined(separator: ", ")), k.new_chunk::smallint, k.new_sketch
            FROM unnest($1::text[], $2::int4[], $3::bytea[]) AS k (place, new_chunk, new_sketch)
            JOIN \(old) AS o ON (o.ctid = k.place::tid)
            """
        try connection.execute(
            "DECLARE whole_sketches NO SCROLL CURSOR FOR SELECT ctid::text, sketch FROM \(old) WHERE \(condition)",
            timeout: timeout)
        var isLast = false
        while !isLast {
            let rows = try connection.query(Self.fetch, answersBinary: true, timeout: timeout)
            isLast = rows.rowCount < Self.rowsAtOnce
            var (places, chunks, sketches) = (BinaryArray(.text), BinaryArray(.int4), BinaryArray(.bytea))
            for row in 0..<rows.rowCount {
                guard let sketch = rows.withBytes(row, 1, { $0.flatMap { HyperLogLog(bytes: $0) } }) else {
                    throw PostgresError(
                        code: .serverError, sqlState: .dataCorrupted,
                        message: "\(old) holds a sketch that can't be read")
                }
                for (number, bytes) in sketch.chunks {
                    places.append(rows.string(row, 0))
                    chunks.append(integer: Int32(truncatingIfNeeded: number))
                    bytes.withUnsafeBytes { sketches.append($0) }
                }
            }
            try connection.query(
                insertion, parameters: [places, chunks, sketches].map(\.parameter), timeout: timeout)
        }
        try connection.execute("CLOSE whole_sketches")
    }
}
