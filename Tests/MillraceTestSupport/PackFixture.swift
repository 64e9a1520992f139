package import MillracePostgres
package import MillraceProjections

/// Makes packs' tables for tests, without the installer.
package enum PackFixture {
    /// Makes the tables of `pack` in schema `projections` and its row in the catalog, then reads them back. `isNew`: false
    /// for tables as an older Millrace let them be.
    @discardableResult
    package static func install(
        _ pack: PackDefinition, isNew: Bool = true, on connection: PostgresConnection
    ) throws -> FoldTarget {
        try connection.execute("SET search_path = projections, pg_catalog, public")
        try connection.execute(pack.upSQL)
        try connection.execute("RESET search_path")
        try StatusCountsSQL.install(pack, schema: "projections", on: connection)
        let made = try connection.query(
            """
            INSERT INTO projections.versions (pack, version, definition_hash, schema_name, state)
            VALUES ($1, $2, $3, 'projections', 'live')
            RETURNING id
            """, parameters: [.text(pack.name), .integer(pack.version), .text(pack.hash)])
        return try FoldTarget.load(
            versionID: Int32(made.int(0, 0) ?? 0), schema: "projections", pack: pack, isNew: isNew, on: connection)
    }
}
