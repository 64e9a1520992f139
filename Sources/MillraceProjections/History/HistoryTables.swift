package import MillracePostgres

/// The tables that the engine makes beside an entity's, in the same schema, where its rows depend on more than the last
/// event of each entity. A pack's author does nothing for them.
///
/// `TABLE__events` holds what each event of the fold makes of its entity, by key and time: it has the table's columns and
/// CHECKs, so that an event which the table refuses is refused there, whatever came before it. Of a fold with `patches`
/// it also has what a patch names, and the row is that of the events before it with these columns changed
/// (`TABLE__merge`). `TABLE__values` says which entities ever wanted a value of a unique index:
///
/// ```
/// millrace_value       bigint    hash of the index's name and the values
/// millrace_nth         integer   0: the first entity that wanted it
/// millrace_contended   boolean   whether another entity wants it too
/// key columns                    the entity
/// ```
package enum HistoryTables {
    /// Without its schema.
    static func events(of table: String) -> String { name(table, "__events") }
    static func values(of table: String) -> String { name(table, "__values") }
    static func merge(of table: String) -> String { name(table, "__merge") }
    /// The column of what a patch names, as JSON.
    static let patch = "millrace_patch"

    /// Of what the engine makes beside a table.
    static func name(_ table: String, _ suffix: String) -> String { table.prefix(63 - suffix.count) + suffix }

    /// Makes those that `pack`'s folds want and `schema` lacks, empty. Blocks; returns the folds.
    @discardableResult
    package static func install(
        _ pack: PackDefinition, schema: String, on connection: PostgresConnection
    ) throws(PostgresError) -> [FoldDefinition] {
        let tables = try CatalogTable.read(schema: schema, prefix: pack.name + "_", on: connection)
        let folds = missing(pack, tables)
        for fold in folds {
            guard let table = tables[fold.table] else { continue }
            try connection.execute(statements(for: table, schema: schema))
            guard case .entity(let entity) = fold.kind, fold.hasPatches else { continue }
            let patches = PatchSQL(of: fold, entity, table: table, pack: pack, schema: schema)
            try connection.execute(patches.statements)
            for cascade in fold.cascades {
                let pointers = (["tenant_id"] + cascade.links.map(\.column)).map { "\"\($0)\"" }.joined(separator: ", ")
                try connection.execute(
                    "CREATE INDEX ON \"\(schema)\".\"\(events(of: table.name))\" (\(pointers)) WHERE NOT millrace_void")
            }
        }
        return folds
    }

    /// Folds whose rows want a history that is not among `tables`.
    static func missing(_ pack: PackDefinition, _ tables: [String: CatalogTable]) -> [FoldDefinition] {
        pack.folds.filter { fold in
            guard case .entity = fold.kind, let table = tables[fold.table] else { return false }
            return (!table.uniques.isEmpty || fold.hasPatches) && tables[events(of: fold.table)] == nil
        }
    }

    /// Removes them; before down.sql, which does not know them.
    package static func removal(of pack: PackDefinition, schema: String) -> String {
        let functions = pack.folds.filter(\.hasPatches)
            .map { "DROP FUNCTION IF EXISTS \"\(schema)\".\"\(merge(of: $0.table))\"(text[]);" }
        let tables = pack.folds.flatMap { [events(of: $0.table), values(of: $0.table)] }
            .map { "DROP TABLE IF EXISTS \"\(schema)\".\"\($0)\";" }
        return (functions + tables).joined(separator: "\n")
    }

    private static func statements(for table: CatalogTable, schema: String) -> String {
        let (own, events) = ("\"\(schema)\".\"\(table.name)\"", "\"\(schema)\".\"\(events(of: table.name))\"")
        let values = "\"\(schema)\".\"\(values(of: table.name))\""
        let keys = table.primaryKey.map { "\"\($0)\"" }.joined(separator: ", ")
        return """
            CREATE TABLE \(events) (
                LIKE \(own) INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE,
                PRIMARY KEY (\(keys), event_at, event_id)
            );
            COMMENT ON TABLE \(events) IS 'Each event of \(table.name), with the row that it makes.';
            CREATE TABLE \(values) AS
            SELECT 0::bigint AS millrace_value, 0::integer AS millrace_nth, false AS millrace_contended, \(keys)
            FROM \(own)
            WITH NO DATA;
            ALTER TABLE \(values) ADD PRIMARY KEY (millrace_value, millrace_nth);
            CREATE INDEX ON \(values) (\(keys)) WHERE millrace_contended;
            COMMENT ON TABLE \(values) IS 'Which rows ever wanted a value of a unique index of \(table.name).';
            """
    }

    /// Gives a history the CHECKs that its table has by now. Those that rows of the history break are for new rows only. In
    /// a transaction; blocks.
    static func followChecks(of table: String, schema: String) -> String {
        let (own, events) = ("\"\(schema)\".\"\(table)\"", "\"\(schema)\".\"\(events(of: table))\"")
        func checks(_ relation: String, without other: String) -> String {
            """
            SELECT one.conname, pg_get_expr(one.conbin, one.conrelid) AS condition
            FROM pg_catalog.pg_constraint AS one
            WHERE one.conrelid = '\(relation)'::regclass AND one.contype = 'c' AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_constraint AS other
                WHERE other.conrelid = '\(other)'::regclass AND other.contype = 'c' AND other.conname = one.conname
                    AND pg_get_expr(other.conbin, other.conrelid) = pg_get_expr(one.conbin, one.conrelid)
            )
            """
        }
        return """
            DO $follow$
            DECLARE
                rule record;
            BEGIN
                FOR rule IN \(checks(events, without: own)) LOOP
                    EXECUTE format('ALTER TABLE \(events) DROP CONSTRAINT %I', rule.conname);
                END LOOP;
                FOR rule IN \(checks(own, without: events)) LOOP
                    EXECUTE format('ALTER TABLE \(events) ADD CONSTRAINT %I CHECK (%s) NOT VALID', rule.conname, rule.condition);
                END LOOP;
            END
            $follow$
            """
    }

    /// Makes those that a version lacks that was made before there were any, and fills them from its rows: what came
    /// before is not known any more. In a transaction that holds the lock alone. Returns their names.
    static func complete(
        _ version: PackVersion, of pack: PackDefinition, on connection: PostgresConnection
    ) throws -> [String] {
        let made = try install(pack, schema: version.schema, on: connection)
        guard !made.isEmpty else { return [] }
        let target = try FoldTarget.load(
            versionID: version.id, schema: version.schema, pack: pack, on: connection)
        for fold in made {
            guard let history = FoldProgram(fold, of: target, slot: 0, output: { _, _ in 0 }).history else { continue }
            try connection.execute(history.fill, timeout: .seconds(3600))
        }
        return made.flatMap { [events(of: $0.table), values(of: $0.table)] }
    }
}

extension FoldDefinition {
    /// Whether events change single columns of its entities.
    var hasPatches: Bool {
        guard case .entity(let entity) = kind else { return false }
        return !entity.patches.isEmpty
    }
}
