import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Who sees and changes what by SQL, in a database with the roles of sql/roles.sql.
    struct RowSecurityTests {
        private static let packs = #"["analytics", "conversations", "workspaces", "commerce", "casework", "product"]"#
        /// What readers see of tables that no tenant has rows in.
        private static let ofNoTenant: Set = [
            "ingest_batches", "ingest_runs", "ingest_spools", "millrace_database", "millrace_migration_history",
            "millrace_migrations", "projections.versions",
        ]

        private let cluster: TestCluster
        private let database: TestDatabase
        private let daemon: DaemonProcess

        init() throws {
            cluster = try TestCluster(isDurable: false)
            database = try cluster.database(isMigrated: false)
            daemon = try DaemonProcess(
                databaseURL: cluster.cluster.connectionString(role: "millrace_migrator", database: database.name),
                settings: ["projections.packs": Self.packs])
        }

        /// Runs sql/roles.sql as a superuser; everything in it is to succeed.
        private func runRoles() throws {
            let scratch = try ScratchDirectory()
            let psql = try SpawnedProcess(
                "/usr/bin/psql",
                [
                    cluster.cluster.connectionString(role: "postgres", database: database.name), "--no-psqlrc",
                    "--quiet", "--set", "ON_ERROR_STOP=1", "--file", Repository.root + "/sql/roles.sql",
                ], mark: scratch.path, output: scratch.path + "/out", errors: scratch.path + "/errors")
            let exit = try psql.waitForExit(within: .seconds(60))
            #expect(exit == .status(0), "\(TextFile.read(scratch.path + "/errors"))")
        }

        private func session(_ role: String = "postgres") throws -> PostgresConnection {
            let session = try PostgresConnection(
                connectionString: cluster.cluster.connectionString(role: role, database: database.name),
                applicationName: "test \(role)", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
            try session.execute("SET row_security = on")
            return session
        }

        private func strings(_ sql: String, _ session: PostgresConnection) throws -> [String] {
            let rows = try session.execute(sql)
            return (0..<rows.rowCount).map { rows.string($0, 0) ?? "" }
        }

        private func migrate() throws {
            let run = try daemon.run("migrate", "up")
            #expect(run.isSuccess, "\(run.errors)")
        }

        /// Rows of the tenants 0 and 7, alike but for a marker.
        private func addRows() throws {
            try Partitions(connection: session("millrace")).ensureAhead(months: 1, from: Timestamp.now.microseconds)
            let admin = try session()
            try admin.execute(
                """
                CREATE ROLE analyst LOGIN;
                GRANT millrace_reader TO analyst;
                CREATE ROLE millrace_tenant_7;
                CREATE ROLE bound LOGIN;
                GRANT millrace_reader, millrace_tenant_7 TO bound;
                CREATE ROLE boss LOGIN;
                GRANT millrace_admin TO boss
                """)
            for tenant in [0, 7] {
                try admin.execute(
                    """
                    INSERT INTO public.analytics_events (id, tenant_id, event_type, payload, created_at, batch_id)
                    VALUES (gen_random_uuid(), \(tenant), 'a', '{"marker": "of \(tenant)"}', now(), 1);
                    INSERT INTO public.conversations (
                        id, tenant_id, conversation_id, user_id, question, response, source, created_at, batch_id
                    )
                    VALUES (
                        gen_random_uuid(), \(tenant), 'c', gen_random_uuid(), 'of \(tenant)', 'r', 's', now(), 1);
                    INSERT INTO public.outbox (tenant_id, event_type) VALUES (\(tenant), 'a');
                    INSERT INTO public.event_ids (id, tenant_id, created_at) VALUES (gen_random_uuid(), \(tenant), now());
                    INSERT INTO public.dead_letters (
                        spool_id, sequence, kind, tenant_id, code, message, received_at, batch_id
                    )
                    VALUES (gen_random_uuid(), 1, 'event', \(tenant), 'x', 'of \(tenant)', now(), 1);
                    INSERT INTO projections.parked (
                        version_id, pack, fold, key, code, message, event_at, event_id, batch_id, tenant_id
                    )
                    VALUES (1, 'p', 'f', 'k', 'c', 'of \(tenant)', now(), gen_random_uuid(), 1, \(tenant));
                    INSERT INTO projections.commerce_products (
                        tenant_id, id, name, price, stock, active, created_at, event_at, event_id
                    )
                    VALUES (
                        \(tenant), gen_random_uuid(), 'Lamp of \(tenant)', 1, 1, true, now(), now(), gen_random_uuid())
                    """)
            }
        }

        /// Walks the catalogue: what `session` may read shows rows of `tenant` only, and no table is without a policy.
        private func expectOnly(_ tenant: Int, _ session: PostgresConnection, _ comment: Comment) throws {
            let relations = try session.execute(
                """
                SELECT relation.oid::regclass::text, relation.relkind, relation.relrowsecurity,
                    coalesce(relation.reloptions @> '{security_invoker=true}', false),
                    EXISTS (SELECT FROM pg_policy WHERE polrelid = relation.oid AND polname = 'millrace_tenant'),
                    has_column_privilege(relation.oid, tenant.attnum, 'SELECT')
                FROM pg_class AS relation
                JOIN pg_namespace AS space ON space.oid = relnamespace
                LEFT JOIN pg_attribute AS tenant
                    ON attrelid = relation.oid AND attname = 'tenant_id' AND NOT attisdropped
                WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
                    AND (nspname IN ('public', 'projections') OR starts_with(nspname::text, 'projections_'))
                    AND has_any_column_privilege(relation.oid, 'SELECT')
                ORDER BY 1
                """)
            let count = relations.rowCount
            #expect(count > 40, comment)
            var seen: [String] = []
            for row in 0..<count {
                let (name, kind) = (relations.string(row, 0) ?? "", relations.string(row, 1) ?? "")
                let (isSecured, isOfCaller) = (relations.bool(row, 2) == true, relations.bool(row, 3) == true)
                let (hasPolicy, showsTenant) = (relations.bool(row, 4) == true, relations.bool(row, 5))
                switch kind {
                case "v": #expect(isOfCaller, "\(name) shows its owner's rows")
                case "m", "f": Issue.record("\(name) has no policies")
                default:
                    #expect(showsTenant != nil || Self.ofNoTenant.contains(name), "\(name) has no tenant")
                    #expect(showsTenant == nil || isSecured && hasPolicy, "\(name) has no policy")
                }
                guard showsTenant == true else { continue }
                let tenants = try strings("SELECT DISTINCT tenant_id FROM \(name)", session)
                #expect(tenants.isEmpty || tenants == ["\(tenant)"], "\(name)")
                if !tenants.isEmpty { seen.append(name) }
            }
            for wanted in [
                "analytics_events", "conversations", "user_questions_complete", "outbox", "event_ids", "dead_letters",
                "projections.parked", "projections.commerce_products", "projections.commerce_products_now",
                "projections.commerce_catalogue",
            ] {
                #expect(seen.contains(wanted), "\(wanted): \(seen)")
            }
            #expect(seen.contains { $0.hasPrefix("analytics_events_y") }, comment)
        }

        private func expectKeptApart() throws {
            let analyst = try session("analyst")
            try expectOnly(0, analyst, "by default")
            try analyst.execute("SET millrace.tenant = 7")
            try expectOnly(7, analyst, "by the setting")
            let bound = try session("bound")
            try expectOnly(7, bound, "bound")
            for setting in [
                "SET millrace.tenant = 0", "SET ROLE millrace_reader", "SET row_security = off",
                "SET millrace.tenant = ''",
            ] {
                try bound.execute(setting)
                let found = try? strings("SELECT DISTINCT tenant_id FROM public.analytics_events", bound)
                #expect(found ?? [] == [] || found == ["7"], "\(setting)")
                let products = try? strings(
                    "SELECT name FROM projections.commerce_search_products('Lamp', 0)", bound)
                #expect(products ?? [] == [], "\(setting)")
            }
            let checkout = "SELECT projections.commerce_checkout(gen_random_uuid(), 'k', 0)"
            try session().execute("GRANT EXECUTE ON FUNCTION projections.commerce_checkout TO bound")
            try expectRefused([checkout], try session("bound"))
            let boss = try session("boss")
            #expect(try strings("SELECT tenant_id FROM public.analytics_events ORDER BY 1", boss) == ["0", "7"])
        }

        private func expectRefused(_ statements: [String], _ session: PostgresConnection) throws {
            for statement in statements {
                let error = #expect(throws: PostgresError.self, "\(statement)") { try session.execute(statement) }
                #expect(error?.sqlState == .insufficientPrivilege, "\(statement): \(error?.message ?? "")")
            }
        }

        private func expectRights() throws {
            let guarded = [
                "UPDATE public.audit_log SET object = 'x'", "DELETE FROM public.audit_log", "TRUNCATE public.audit_log",
                "ALTER TABLE public.audit_log DISABLE TRIGGER ALL", "DROP TABLE public.audit_log",
            ]
            let secret = [
                "SELECT secret_hash FROM public.access_keys", "SELECT * FROM public.audit_log",
                "SELECT * FROM public.tenants", "SELECT * FROM public.password_hashes",
            ]
            let keys = [
                "UPDATE public.access_keys SET scopes = '{admin}'", "DELETE FROM public.access_keys",
                "INSERT INTO public.tenants (id, name) VALUES (9, 'x')", "DROP TABLE public.access_keys",
            ]
            let writer = try session("millrace")
            try expectRefused(guarded + keys, writer)
            try writer.execute("SELECT count(*) FROM public.access_keys, public.tenants")
            try expectRefused(
                guarded + keys + secret + [
                    "DELETE FROM public.analytics_events", "UPDATE public.outbox SET event_type = 'b'",
                ],
                try session("analyst"))
            let boss = try session("boss")
            try expectRefused(guarded + ["DELETE FROM public.analytics_events", "DROP TABLE public.access_keys"], boss)
            try boss.execute("INSERT INTO public.tenants (id, name) VALUES (9, 'nine')")
            try boss.execute("UPDATE public.access_keys SET name = 'other'")
        }

        @Test
        func `a reader sees one tenant's rows on every table, month and view, and a writer changes no key and no log`()
            throws
        {
            try runRoles()
            try migrate()
            try addRows()
            try expectKeptApart()
            try expectRights()

            // What comes later is kept apart, too.
            try Partitions(connection: session()).ensureAhead(months: 3, from: Timestamp.now.microseconds)
            let daemon = try DaemonProcess(
                databaseURL: cluster.cluster.connectionString(role: "millrace", database: database.name),
                settings: ["projections.packs": Self.packs])
            let rebuild = try daemon.run("projections", "rebuild", "casework")
            #expect(rebuild.isSuccess, "\(rebuild.errors)")
            try expectKeptApart()
            let others = try strings(
                """
                SELECT oid::regclass::text FROM pg_class
                WHERE relkind IN ('r', 'p', 'v') AND relnamespace IN ('public'::regnamespace, 'projections'::regnamespace)
                    AND pg_get_userbyid(relowner) NOT IN ('millrace_owner', 'millrace_writer')
                """, try session())
            #expect(others == [])
        }

        @Test func `an installation that one login owns gets the roles later, and goes on`() throws {
            let single = try DaemonProcess(
                databaseURL: database.connectionString, settings: ["projections.packs": Self.packs])
            let first = try single.run("migrate", "up")
            #expect(first.isSuccess, "\(first.errors)")
            try runRoles()
            try runRoles()
            try migrate()
            try addRows()
            try expectKeptApart()
            try expectRights()
            let check = try single.run("check")
            #expect(!check.output.contains("may change the audit log"), "\(check.output)")
        }
    }
}
