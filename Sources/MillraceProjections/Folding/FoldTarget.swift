package import MillracePostgres

/// A version of a pack as rows are folded into it: where its tables are, and of what types their columns.
package final class FoldTarget: Sendable {
    /// `projections.versions.id`.
    package let versionID: Int32
    package let schema: String
    package let pack: PackDefinition
    /// By name: those of the schema whose names start with the pack's.
    package let tables: [String: CatalogTable]

    package init(versionID: Int32, schema: String, pack: PackDefinition, tables: [String: CatalogTable]) {
        self.versionID = versionID
        self.schema = schema
        self.pack = pack
        self.tables = tables
    }

    /// Reads the catalog, and checks that the tables are those that the folds want. Blocks. Throws `PackErrors`, or what
    /// the connection throws.
    package static func load(
        versionID: Int32, schema: String, pack: PackDefinition, on connection: PostgresConnection
    ) throws -> FoldTarget {
        let tables = try CatalogTable.read(schema: schema, prefix: pack.name + "_", on: connection)
        let errors = PackCheck(pack: pack, schema: schema, tables: tables).errors()
        guard errors.isEmpty else { throw PackErrors(errors: errors) }
        return FoldTarget(versionID: versionID, schema: schema, pack: pack, tables: tables)
    }
}
