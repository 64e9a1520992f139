import MillracePostgres
import MillraceProjections
import MillraceTestSupport

/// Tables of packs, as the daemon has made them when it starts.
enum ReadingPacks {
    static func install(_ names: String..., in database: TestDatabase) throws {
        let connection = try database.connect()
        try Migrator(connection: connection).up()
        for pack in try PackLoader().load(names) {
            try connection.execute(
                """
                BEGIN;
                SET LOCAL search_path = projections, pg_catalog, public;
                \(pack.upSQL);
                INSERT INTO projections.versions (pack, version, definition_hash, schema_name, state)
                VALUES ('\(pack.name)', \(pack.version), '\(pack.hash)', 'projections', 'live');
                COMMIT
                """)
        }
    }
}
