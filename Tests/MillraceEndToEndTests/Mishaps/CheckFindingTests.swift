import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct CheckFindingTests {
        private struct Report: Decodable {
            struct Check: Decodable {
                var name: String
                var ok: Bool
                var detail: String
                var mend: String?
            }
            var checks: [Check]

            /// The tests' server has fsync off.
            var failures: [Check] { checks.filter { !$0.ok && $0.name != "durability" } }
        }

        /// `DB` stands for the database's name.
        private static let findings: [(name: String, statement: String)] = [
            ("read-write", "ALTER DATABASE DB SET default_transaction_read_only = on"),
            ("privileges", "REVOKE TEMPORARY ON DATABASE DB FROM PUBLIC, millrace"),
            ("connections", "ALTER DATABASE DB CONNECTION LIMIT 24"),
            ("columns", "ALTER TABLE public.analytics_events ADD COLUMN region text NOT NULL"),
            ("columns", "ALTER TABLE public.ingest_batches ADD COLUMN region text NOT NULL"),
            ("columns", "ALTER TABLE public.outbox ADD COLUMN region text NOT NULL"),
            ("columns", "ALTER TABLE public.ingest_runs ADD COLUMN region text NOT NULL"),
            ("pack analytics", "ALTER TABLE projections.analytics_top_types ADD COLUMN region text NOT NULL"),
            (
                "triggers",
                """
                CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                CREATE TRIGGER swallow BEFORE INSERT ON public.dead_letters
                FOR EACH ROW EXECUTE FUNCTION public.swallow()
                """
            ),
            ("rules", "CREATE RULE nothing AS ON INSERT TO public.event_ids DO INSTEAD NOTHING"),
            (
                "row security",
                """
                ALTER TABLE public.conversations ENABLE ROW LEVEL SECURITY;
                ALTER TABLE public.conversations FORCE ROW LEVEL SECURITY
                """
            ),
            (
                "partitions",
                """
                DO $$ BEGIN EXECUTE format(
                    'ALTER TABLE %s RENAME TO elsewhere',
                    (SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'analytics_events'::regclass)
                ); END $$
                """
            ),
        ]

        @Test func `check fails on what would keep rows from the tables, each with the fix`() throws {
            for (name, statement) in Self.findings {
                let installation = try Installation("check_finding")
                #expect(try installation.daemon.run("partitions", "ensure").isSuccess)
                let before = try installation.daemon.run("check", "--json").report(Report.self)
                #expect(before.failures.isEmpty, "\(before.failures)")
                let superuser = try PostgresConnection(
                    connectionString: installation.cluster.cluster.connectionString(
                        role: "postgres", database: installation.database.name),
                    applicationName: "test superuser", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
                try superuser.execute(statement.replacing("DB", with: installation.database.name))
                let run = try installation.daemon.run("check", "--json")
                let failures = try run.report(Report.self).failures
                #expect(failures.map(\.name) == [name], "\(statement): \(failures)")
                #expect(failures.allSatisfy { $0.mend?.isEmpty == false })
                #expect(run.exit == .status(1))
            }
        }

        @Test func `an encoding that can't hold every event is refused by migrate, and named by check`() throws {
            let superuser = try TestCluster.own.superuser()
            let name = "ascii_\(UInt32.random(in: 0 ... .max))"
            try superuser.execute(
                "CREATE DATABASE \(name) OWNER millrace ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
                timeout: .seconds(60))
            let daemon = try DaemonProcess(
                databaseURL: TestCluster.own.cluster.connectionString(role: "millrace", database: name))
            let migrate = try daemon.run("migrate", "up")
            #expect(migrate.exit == .status(1))
            #expect(migrate.errors.contains("SQL_ASCII") && migrate.errors.contains("UTF8"), "\(migrate.errors)")
            let failures = try daemon.run("check", "--json").report(Report.self).failures
            #expect(failures.contains { $0.name == "encoding" && $0.detail == "SQL_ASCII" }, "\(failures)")
        }

        @Test func `check tells a pooler in transaction mode from one in session mode`() throws {
            let installation = try Installation(cluster: .own)
            #expect(try installation.daemon.run("partitions", "ensure").isSuccess)
            for (mode, expected) in [("transaction", ["sessions"]), ("session", [])] {
                for turns in [false, true] {
                    let pooler = try PgBouncer(in: installation.cluster, mode: mode, takesTurns: turns)
                    let daemon = try DaemonProcess(
                        databaseURL: pooler.connectionString(database: installation.database.name))
                    #expect(
                        eventually { (try? daemon.run("migrate", "status").isSuccess) == true }, "\(pooler.log)")
                    let failures = try daemon.run("check", "--json").report(Report.self).failures
                    #expect(failures.map(\.name) == expected, "\(mode): \(failures)")
                    try pooler.stop()
                }
            }
        }

        @Test(arguments: ["transaction", "statement"])
        func `a daemon behind a pooler without sessions writes nothing, says why, and goes on in session mode`(
            mode: String
        ) throws {
            let installation = try Installation(cluster: .own)
            #expect(try installation.daemon.run("partitions", "ensure").isSuccess)
            var pooler = try PgBouncer(in: installation.cluster, mode: mode)
            let daemon = try DaemonProcess(
                databaseURL: pooler.connectionString(database: installation.database.name))
            try daemon.start()
            let events = EventFactory(seed: 1904)
            #expect(try HTTPClient(daemon.http).postEvents(events.lines(0..<50)).status == 202)
            let isTold = eventually {
                (try? Readiness.of(daemon))?.reason?.contains("transaction or statement mode") == true
            }
            #expect(isTold, "\(daemon.log.suffix(2000))")
            #expect(daemon.log.contains("pool_mode = session"))
            #expect(try installation.auditor.integer("SELECT count(*) FROM public.ingest_batches") == 0)
            try pooler.stop()
            pooler = try PgBouncer(in: installation.cluster, mode: "session", port: pooler.port)
            try installation.auditor.waitForRows(50)
            try installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
            try pooler.stop()
        }
    }
}
