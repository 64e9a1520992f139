import MillracePostgres
import MillraceTestSupport

/// Makes a plain PostgreSQL look to Millrace as the coordinator of a Citus cluster: the catalog and the functions that it asks,
/// over one server. So the daemon and its commands say what they would say there; `CitusRules` looks whether it would be
/// taken. Needs the superuser of a cluster of the tests' own.
struct CitusStub {
    let cluster: TestCluster
    let database: TestDatabase

    func install() throws {
        try superuser().execute(
            """
            SET allow_system_table_mods = on;
            SET client_min_messages = error;
            CREATE SCHEMA citus_stub;
            CREATE TABLE citus_stub.distributed (relation regclass PRIMARY KEY, distribution_column text NOT NULL);
            GRANT USAGE ON SCHEMA citus_stub TO PUBLIC;
            GRANT SELECT ON citus_stub.distributed TO PUBLIC;
            CREATE VIEW pg_catalog.pg_dist_partition AS
                SELECT relation AS logicalrelid, distribution_column AS partkey FROM citus_stub.distributed
                UNION
                SELECT inhrelid::regclass, distribution_column
                FROM citus_stub.distributed
                JOIN pg_catalog.pg_inherits ON inhparent = relation;
            CREATE VIEW pg_catalog.pg_dist_shard AS
                SELECT logicalrelid, shard AS shardid
                FROM pg_catalog.pg_dist_partition
                CROSS JOIN generate_series(102008, 102015) AS shard;
            CREATE VIEW pg_catalog.pg_dist_node AS
                SELECT node AS nodeid, true AS isactive, 'primary' AS noderole, node > 1 AS shouldhaveshards
                FROM generate_series(1, 3) AS node;
            GRANT SELECT ON pg_catalog.pg_dist_partition, pg_catalog.pg_dist_shard, pg_catalog.pg_dist_node TO PUBLIC;
            CREATE FUNCTION pg_catalog.column_to_column_name(regclass, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
            CREATE FUNCTION pg_catalog.create_distributed_table(
                table_name regclass, distribution_column text, colocate_with text DEFAULT 'default'
            ) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
            BEGIN
                IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = table_name AND NOT tgisinternal) THEN
                    RAISE EXCEPTION 'cannot distribute relation "%" because it has triggers', table_name;
                END IF;
                IF EXISTS (SELECT FROM pg_policy WHERE polrelid = table_name AND polqual::text LIKE '%SUBLINK%') THEN
                    RAISE EXCEPTION 'cannot create policy' USING ERRCODE = '0A000';
                END IF;
                INSERT INTO citus_stub.distributed VALUES (table_name, distribution_column);
            END
            $$;
            CREATE TABLE pg_catalog.pg_dist_local_group (groupid integer NOT NULL);
            INSERT INTO pg_catalog.pg_dist_local_group VALUES (0);
            GRANT SELECT ON pg_catalog.pg_dist_local_group TO PUBLIC;
            CREATE TABLE pg_catalog.pg_dist_object (classid oid NOT NULL, objid oid NOT NULL);
            GRANT SELECT ON pg_catalog.pg_dist_object TO PUBLIC;
            CREATE FUNCTION pg_catalog.create_distributed_function(regprocedure) RETURNS void
                LANGUAGE sql SECURITY DEFINER
                AS $$ INSERT INTO pg_catalog.pg_dist_object VALUES ('pg_catalog.pg_proc'::regclass, $1) $$;
            CREATE FUNCTION pg_catalog.truncate_local_data_after_distributing_table(regclass) RETURNS void
                LANGUAGE sql AS '';
            CREATE FUNCTION pg_catalog.recover_prepared_transactions() RETURNS integer LANGUAGE sql AS 'SELECT 0';
            CREATE FUNCTION pg_catalog.run_command_on_all_nodes(
                command text, OUT nodeid integer, OUT success boolean, OUT result text
            ) RETURNS SETOF record LANGUAGE plpgsql AS $$
            BEGIN
                nodeid := 1;
                success := true;
                EXECUTE command INTO result;
                RETURN NEXT;
            END
            $$;
            -- As Citus has it, so that what Millrace makes instead is what it would make there.
            CREATE FUNCTION citus_stub.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
            DECLARE
                made record;
            BEGIN
                FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() LOOP
                    IF EXISTS (
                        SELECT
                        FROM pg_catalog.pg_policy
                        JOIN pg_catalog.pg_dist_partition ON logicalrelid = polrelid
                        WHERE made.objid = pg_policy.oid AND polqual::text LIKE '%SUBLINK%'
                    ) THEN
                        RAISE EXCEPTION 'unexpected non-SELECT command in SubLink' USING ERRCODE = 'XX000';
                    END IF;
                END LOOP;
            END
            $$;
            CREATE EVENT TRIGGER citus_stub_refuses ON ddl_command_end
                WHEN TAG IN ('CREATE POLICY')
                EXECUTE FUNCTION citus_stub.refuse();
            """)
    }

    /// Has the server write down every statement that clients send from now on.
    func logStatements() throws {
        let session = try superuser()
        for setting in ["log_destination = 'jsonlog'", "log_statement = 'all'", "log_error_verbosity = 'default'"] {
            try session.execute("ALTER SYSTEM SET \(setting)")
        }
        try session.execute("SELECT pg_reload_conf()")
        // Only of the sessions from here on is anything asked.
        guard try eventually({ try superuser().execute("SHOW log_statement").string(0, 0) == "all" }) else {
            throw TestSupportError(message: "the server logs no statements")
        }
    }

    /// What sessions of Millrace have sent since `logStatements`, each text once, with the names of the sessions' parts
    /// (`writer`, `maintenance`, `migrate` …).
    func statements() throws -> [String: Set<String>] {
        let session = try superuser()
        let files = try session.execute("SELECT pg_current_logfile('jsonlog'), current_setting('data_directory')")
        guard let file = files.string(0, 0), let directory = files.string(0, 1) else {
            throw TestSupportError(message: "the server writes no log")
        }
        var found: [String: Set<String>] = [:]
        let text = TextFile.read(file.hasPrefix("/") ? file : "\(directory)/\(file)")
        for line in text.split(separator: "\n") where line.contains("\"application_name\":\"millrace") {
            guard let entry = try? CommandRun.decode(Entry.self, from: String(line)), entry.dbname == database.name,
                let application = entry.applicationName, application.hasPrefix("millrace"),
                let statement = entry.statement
            else { continue }
            found[statement, default: []].insert(application)
        }
        return found
    }

    private struct Entry: Decodable {
        var dbname: String?
        var applicationName: String?
        var message: String?

        /// `statement: …`, or `execute NAME: …` of a prepared one.
        var statement: String? {
            guard let message, message.hasPrefix("statement: ") || message.hasPrefix("execute ") else { return nil }
            return message.firstRange(of: ": ").map { String(message[$0.upperBound...]) }
        }
    }

    func superuser() throws -> PostgresConnection {
        try PostgresConnection(
            connectionString: cluster.cluster.connectionString(role: "postgres", database: database.name),
            applicationName: "test", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
    }
}
