internal import MillracePostgres

/// Brings the live version of a pack that ships with Millrace to the next one in place, when that differs only in how
/// sketches are kept: no row is read again, and months whose rows are gone keep their counts.
struct PackUpgrade {
    /// By pack: the definition whose sketches are in one row each, and the version that differs from it in nothing else.
    private static let wholeSketches: [String: (hash: String, next: Int)] = [
        "analytics": ("b0ba783c125933a6480dff8d55c8ea46d1b217d9c0a6d432040b863489f9f764", 2),
        "conversations": ("512bd4ce79d26da885beb3a463b34aabc5b0463e565224e2de8a3d387ab7bf2c", 2),
    ]

    private let live: PackVersion
    private let pack: PackDefinition

    /// Nil when there is none from `live` to `pack`.
    init?(of live: PackVersion?, to pack: PackDefinition) {
        guard let live, let known = Self.wholeSketches[pack.name], live.hash == known.hash, pack.version == known.next
        else { return nil }
        self.live = live
        self.pack = pack
    }

    /// In a transaction that holds the lock alone. Throws XX001 when a sketch can't be read.
    func run(on connection: PostgresConnection, timeout: Duration = .seconds(3600)) throws {
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
        try connection.query(
            "UPDATE projections.versions SET version = $2::integer, definition_hash = $3 WHERE id = $1::integer",
            parameters: [.integer(live.id), .integer(pack.version), .text(pack.hash)])
    }
}
