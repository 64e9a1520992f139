package import MillracePostgres
package import MillraceProjections

/// Makes packs' tables for tests, without the installer.
package enum PackFixture {
    /// Makes the tables of `pack` in a schema and its row in the catalog, then reads them back. `isLive`: else it is being
    /// built. `isNew`: false for tables as an older Millrace let them be.
    @discardableResult
    package static func install(
        _ pack: PackDefinition, in schema: String = "projections", isLive: Bool = true, isNew: Bool = true,
        on connection: PostgresConnection
    ) throws -> FoldTarget {
        try connection.execute("CREATE SCHEMA IF NOT EXISTS \(schema)")
        try connection.execute("SET search_path = \(schema), pg_catalog, public")
        try connection.execute(pack.upSQL)
        try connection.execute("RESET search_path")
        try CascadeTables.install(pack, schema: "projections", on: connection)
        try StatusCountsSQL.install(pack, schema: schema, on: connection)
        try HistoryTables.install(pack, schema: schema, on: connection)
        let made = try connection.query(
            """
            INSERT INTO projections.versions (pack, version, definition_hash, schema_name, state)
            VALUES ($1, $2, $3, $4, $5)
            RETURNING id
            """,
            parameters: [
                .text(pack.name), .integer(pack.version), .text(pack.hash), .text(schema),
                .text(isLive ? "live" : "building"),
            ])
        return try FoldTarget.load(
            versionID: Int32(made.int(0, 0) ?? 0), schema: schema, pack: pack, isNew: isNew, on: connection)
    }
}
