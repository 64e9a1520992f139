import MillraceTestSupport
import Testing

@testable import MillracePostgres

struct SQLStatementsTests {
    @Test(arguments: [
        ("SELECT 1; SELECT 2;", ["SELECT 1", " SELECT 2"]),
        ("SELECT ';' || E'\\';' || \"a;b\"; SELECT 2", ["SELECT ';' || E'\\';' || \"a;b\"", " SELECT 2"]),
        ("SELECT 'it''s;'; SELECT name'\\'; SELECT 3", ["SELECT 'it''s;'", " SELECT name'\\'", " SELECT 3"]),
        ("-- Why: a;\nSELECT 1;\n-- done;\n", ["-- Why: a;\nSELECT 1"]),
        ("/* a; /* b; */ c; */ SELECT 1; /* ; */", ["/* a; /* b; */ c; */ SELECT 1"]),
        (
            "DO $$ BEGIN; x; $q$ END $$; SELECT $1; SELECT $2",
            ["DO $$ BEGIN; x; $q$ END $$", " SELECT $1", " SELECT $2"]
        ),
        ("DO $body$ a; $$ b; $$ $body$", ["DO $body$ a; $$ b; $$ $body$"]),
        (" ;; \n", []), ("", []), ("SELECT 'open;", ["SELECT 'open;"]), ("SELECT $a$;", ["SELECT $a$;"]),
    ])
    func `a text is cut at the semicolons that end statements`(text: String, statements: [String]) {
        #expect(SQLStatements.split(text) == statements)
    }

    @Test func `migrations do the same statement by statement as together`() throws {
        let cluster = try TestCluster(isDurable: false)
        let together = try cluster.database("together")
        let apart = try cluster.database("apart", isMigrated: false)
        // A database that says it had Citus, and nothing distributed.
        try PostgresConnection(
            connectionString: cluster.cluster.connectionString(role: "postgres", database: apart.name),
            applicationName: "test", connectTimeout: .seconds(30), interrupt: PostgresInterrupt()
        ).execute(
            """
            SET allow_system_table_mods = on;
            CREATE VIEW pg_catalog.pg_dist_partition AS
                SELECT NULL::regclass AS logicalrelid, NULL::text AS partkey WHERE false;
            GRANT SELECT ON pg_catalog.pg_dist_partition TO PUBLIC
            """)
        let connection = try apart.connect()
        for migration in Migration.all where migration.keys == nil {
            let statements = SQLStatements.split(migration.up)
            #expect(!statements.isEmpty && !SQLStatements.split(migration.down).isEmpty, "\(migration.name)")
            for statement in statements + SQLStatements.split(migration.down) {
                #expect(!statement.isEmpty)
            }
        }
        try Migrator(connection: connection).up()
        let plain = try together.connect()
        for kind in ["columns", "indexes"] {
            let sql =
                kind == "columns"
                ? """
                SELECT string_agg(concat_ws(' ', table_schema, table_name, column_name, data_type, is_nullable), ','
                    ORDER BY table_schema, table_name, ordinal_position)
                FROM information_schema.columns
                WHERE table_schema IN ('public', 'projections')
                """
                : "SELECT string_agg(indexdef, ',' ORDER BY indexdef) FROM pg_indexes WHERE schemaname IN ('public', 'projections')"
            let found = try connection.execute(sql).string(0, 0)
            #expect(try found != nil && found == plain.execute(sql).string(0, 0), "\(kind)")
        }
        // And back, though a trigger is gone that the distribution of its table took.
        try connection.execute("DROP TRIGGER conversations_by_hand ON public.conversations")
        try Migrator(connection: connection).down(count: Migration.all.count)
        #expect(try connection.execute("SELECT to_regclass('public.analytics_events') IS NULL").bool(0, 0) == true)
    }
}
