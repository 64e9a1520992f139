import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// With `database.distribution = "citus"`: what the daemon and its commands send, on a PostgreSQL that says it were a
    /// coordinator. `make citus-test` runs them on a real cluster.
    struct CitusContractTests {
        private struct Migration: Decodable {
            var distributed: [String]
        }

        private static let settings = [
            "database.distribution": "\"citus\"", "partitions.maintenance_interval": "\"1s\"",
            "partitions.gin_clean_interval": "\"100ms\"", "partitions.quiet_hours": "\"00:00-24:00\"",
            "database.ledger_join_age": "\"1s\"", "spool.retain": "\"1s\"", "database.retry_max": "\"500ms\"",
            "erasure.poll": "\"100ms\"",
        ]

        /// What must have been sent, so that the look at all of it means something.
        private static let expected = [
            "COPY public.analytics_events_y", "COPY public.conversations_y", "INSERT INTO public.event_ids",
            "INSERT INTO public.analytics_events_y", "UPDATE public.conversations AS stored",
            "DELETE FROM public.event_ids", "ATTACH PARTITION public.conversations_y",
            "DETACH PARTITION public.analytics_events_y", "DROP TABLE public.analytics_events_y",
            "VACUUM (FREEZE, ANALYZE) public.", "create_distributed_table", "run_command_on_all_nodes",
            "SELECT row_to_json(line)", "DELETE FROM public.conversations_y", "INSERT INTO verify_counts",
            "INSERT INTO public.analytics_events (id", "COPY public.event_ids (id, created_at) FROM STDIN",
            "create_distributed_function",
        ]

        @Test func `every statement on the distributed tables is one that Citus takes`() throws {
            let cluster = try TestCluster(isDurable: true)
            let archive = try ScratchDirectory()
            let installation = try Installation(
                cluster: cluster,
                settings: Self.settings.merging(["archive.directory": "\"\(archive.path)\""]) { $1 })
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            #expect(try daemon.run("partitions", "ensure").isSuccess)
            let stub = CitusStub(cluster: cluster, database: installation.database)
            try stub.install()
            try stub.logStatements()

            let check = try daemon.run("check")
            #expect(
                check.exit == .status(1) && check.output.contains("not distributed: analytics_events"),
                "\(check.output)")
            let migration = try daemon.run("migrate", "up", "--json").report(Migration.self)
            #expect(migration.distributed == ["analytics_events", "conversations", "event_ids"])
            #expect(try daemon.run("migrate", "up", "--json").report(Migration.self).distributed == [])
            let distributed = try daemon.run("check")
            #expect(distributed.output.contains("conversations in 8 shards"), "\(distributed.output)")
            for name in ["distribution", "distributed tables", "commits", "triggers", "partitions"] {
                #expect(distributed.output.contains("ok    \(name): "), "\(distributed.output)")
            }
            try watchCommits(installation)

            try daemon.start()
            try send(to: daemon)
            try run(daemon, auditor)
            try months(daemon, auditor)
            #expect(try daemon.stop() == .status(0))

            #expect(try auditor.strings("SELECT DISTINCT setting FROM public.seen_commits") == ["on"])
            try expectTakenTables(auditor)
            let statements = try stub.statements()
            let bare = statements.keys.map(SQLText.bare)
            for text in Self.expected {
                #expect(bare.contains { $0.contains(text.lowercased()) }, "nobody has sent \(text)")
            }
            // One of those that differ in numbers alone.
            let shapes = Dictionary(statements.keys.map { (SQLText.shape($0), $0) }) { first, _ in first }
            let violations = shapes.values.sorted().flatMap(CitusRules.check)
            for violation in violations {
                Issue.record(
                    "\(violation.rule.rawValue): \(statements[violation.statement] ?? []) sent \(violation.statement)")
            }
        }

        /// Each commit of a batch says how it waits for the log.
        private func watchCommits(_ installation: Installation) throws {
            try installation.database.connect().execute(
                """
                CREATE TABLE public.seen_commits (setting text NOT NULL);
                CREATE FUNCTION public.see_commit() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    INSERT INTO public.seen_commits VALUES (current_setting('synchronous_commit'));
                    RETURN NULL;
                END
                $$;
                CREATE CONSTRAINT TRIGGER see_commit AFTER INSERT ON public.ingest_batches
                    DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW WHEN (NEW.batches = 1 AND NEW.skipped = 0) EXECUTE FUNCTION public.see_commit()
                """)
        }

        private static let user = "0196a1b2-0000-7000-8000-000000000001"

        private func send(to daemon: DaemonProcess) throws {
            let events = EventFactory(seed: 193)
            let client = HTTPClient(daemon.http)
            // Awaited and not, and once more, so that repeats are found.
            #expect(try client.postEvents(events.lines(0..<80)).status == 202)
            for _ in 0..<2 {
                #expect(try client.postEvents(events.lines(0..<160), query: "?ack=committed").status == 200)
            }
            let time = "2026-11-20T09:00:00Z"
            let lines = [
                """
                {"conversation_id":"said","question":"Who?","response":"\(Self.user)","user_id":"\(Self.user)","timestamp":"\(time)"}
                """,
                """
                {"event_type":"conversations.status_changed","created_at":"2026-11-21T09:00:00Z","payload":{"conversation_id":"said","status":"archived"}}
                """,
                """
                {"conversation_id":"said","question":"And later?","response":"Yes.","user_id":"\(Self.user)","timestamp":"2026-11-22T09:00:00Z"}
                """,
                """
                {"conversation_id":"other","question":"Who is \(Self.user)?","response":"I.","user_id":"\(EventFactory.uuid(1, 2, version: 4))","timestamp":"\(time)"}
                """,
                """
                {"event_type":"page.viewed","user_id":"\(Self.user)","id":"\(Self.user)","created_at":"\(time)","payload":{"who":"\(Self.user)"}}
                """,
                """
                {"event_type":"page.viewed","user_id":"\(Self.user)","created_at":"\(time)","payload":{"n":1}}
                """,
            ]
            for line in lines {
                #expect(
                    try client.postEvents(Array((line + "\n").utf8), query: "?ack=committed").status == 200, "\(line)")
            }
        }

        private func run(_ daemon: DaemonProcess, _ auditor: Auditor) throws {
            try auditor.verify(daemon)
            for command in [
                ["projections", "verify"], ["projections", "rebuild", "--all", "--quiet"], ["projections", "verify"],
                ["partitions", "list"],
                ["export", "--from", "2026-01-01", "--to", "2027-01-01", "--output", daemon.directory + "/export.zst"],
                ["status"],
            ] {
                let run = try daemon.run(command)
                #expect(run.isSuccess, "\(command): \(run.output.suffix(2000)) \(run.errors)")
            }
            try letters(daemon, auditor)
            for arguments in [["--dry-run"], ["--yes"]] {
                let run = try daemon.run(["users", "erase", Self.user, "--quiet"] + arguments)
                #expect(run.isSuccess, "\(run.output) \(run.errors)")
            }
            let named = "SELECT count(*) FROM public.TABLE AS row WHERE row::text LIKE '%\(Self.user)%'"
            for table in ["analytics_events", "conversations", "event_ids"] {
                #expect(try auditor.integer(named.replacing("TABLE", with: table)) == 0, "\(table)")
            }
            try auditor.verify(daemon)
            let recount = try daemon.run("projections", "verify")
            #expect(recount.isSuccess, "\(recount.output)")
        }

        /// A worker says of each refused row of a COPY that something went wrong inside; the staged row is refused by its CHECK,
        /// becomes a dead letter, and goes in when that is gone.
        private func letters(_ daemon: DaemonProcess, _ auditor: Auditor) throws {
            let connection = try auditor.database.connect()
            try connection.execute(
                """
                CREATE FUNCTION public.as_worker() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF NEW.event_type LIKE 'bad.%' AND current_query() LIKE 'COPY public.%' THEN
                        RAISE EXCEPTION 'new row for relation "x_102008" violates check constraint "no_bad"'
                            USING ERRCODE = 'XX000';
                    END IF;
                    RETURN NEW;
                END
                $$;
                CREATE TRIGGER as_worker BEFORE INSERT ON public.analytics_events
                    FOR EACH ROW EXECUTE FUNCTION public.as_worker();
                ALTER TABLE public.analytics_events ADD CONSTRAINT no_bad CHECK (event_type <> 'bad.row') NOT VALID
                """)
            let lines = ["bad.row", "bad.luck", "good.row"].map { "{\"event_type\":\"\($0)\"}\n" }.joined()
            let timeless = "{\"event_type\":\"bad.row\",\"id\":\"\(EventFactory.uuid(3, 4, version: 4))\"}\n"
            #expect(
                try HTTPClient(daemon.http).postEvents(Array((lines + timeless).utf8), query: "?ack=committed").status
                    == 200)
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters WHERE sqlstate = '23514'") == 2)
            #expect(
                try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE event_type LIKE '%.luck'") == 1)
            try connection.execute(
                """
                DROP TRIGGER as_worker ON public.analytics_events;
                ALTER TABLE public.analytics_events DROP CONSTRAINT no_bad
                """)
            let retry = try daemon.run("dead-letters", "retry", "--all")
            #expect(retry.isSuccess, "\(retry.output) \(retry.errors)")
            #expect(
                try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE event_type = 'bad.row'") == 2)
            try auditor.verify(daemon)
        }

        /// Out and back, and a month that the daemon closes by itself.
        private func months(_ daemon: DaemonProcess, _ auditor: Auditor) throws {
            let isClosed = try eventually(within: .seconds(60)) {
                try auditor.integer("SELECT count(*) FROM public.partition_months WHERE closed_at IS NOT NULL") > 0
            }
            #expect(isClosed)
            let month = try #require(
                try auditor.strings(
                    """
                    SELECT to_char(min(created_at) AT TIME ZONE 'UTC', 'YYYY-MM') FROM public.conversations
                    """
                ).first)
            let rows = try auditor.rows
            for command in [
                ["partitions", "retire", month], ["verify"], ["partitions", "restore", "--writable", month],
            ] {
                let run = try daemon.run(command)
                #expect(run.isSuccess, "\(command): \(run.output.suffix(2000)) \(run.errors)")
            }
            #expect(try auditor.rows == rows)
            try auditor.verify(daemon)
        }

        /// What the catalog must not have of the distributed tables.
        private func expectTakenTables(_ auditor: Auditor) throws {
            let distributed = "SELECT logicalrelid FROM pg_catalog.pg_dist_partition"
            for (what, query) in [
                (
                    "trigger",
                    "SELECT tgrelid::regclass || ' ' || tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid IN (\(distributed))"
                ),
                (
                    "foreign key",
                    "SELECT conname FROM pg_constraint WHERE contype = 'f' AND (conrelid IN (\(distributed)) OR confrelid IN (\(distributed)))"
                ),
                (
                    "policy",
                    "SELECT polrelid::regclass || ' ' || polname FROM pg_policy WHERE polrelid IN (\(distributed)) AND polqual::text LIKE '%SUBLINK%'"
                ),
                ("rule", "SELECT rulename FROM pg_rewrite WHERE ev_type <> '1' AND ev_class IN (\(distributed))"),
                (
                    "unique key",
                    """
                    SELECT indexrelid::regclass::text
                    FROM pg_index
                    WHERE indisunique AND indrelid IN (\(distributed)) AND NOT EXISTS (
                        SELECT FROM pg_attribute WHERE attrelid = indrelid AND attname = 'id' AND attnum = ANY (indkey)
                    )
                    """
                ),
                (
                    "identity",
                    "SELECT attrelid::regclass || ' ' || attname FROM pg_attribute WHERE attidentity <> '' AND attrelid IN (\(distributed))"
                ),
            ] {
                #expect(try auditor.strings(query) == [], "\(what) on a distributed table")
            }
            let secured =
                "SELECT count(*) FROM pg_policy WHERE polname = 'millrace_tenant' AND polrelid IN (\(distributed))"
            #expect(
                try auditor.integer(secured) == auditor.integer("SELECT count(*) FROM pg_catalog.pg_dist_partition"))
        }

        @Test func `a batch on one server waits for nobody's log, and one on a cluster always`() throws {
            let installation = try Installation()
            try watchCommits(installation)
            try installation.daemon.start()
            #expect(
                try HTTPClient(installation.daemon.http).postEvents(EventFactory(seed: 194).lines(0..<5)).status == 202)
            try installation.auditor.waitForSettled(5)
            #expect(try installation.auditor.strings("SELECT DISTINCT setting FROM public.seen_commits") == ["off"])
        }

        @Test func `a batch that was ended for a deadlock is tried again and counted`() throws {
            let mishap = try Mishap()
            try mishap.execute("CREATE SEQUENCE public.tries")
            try mishap.makeTrigger(
                on: "public.analytics_events",
                """
                IF nextval('public.tries') = 1 THEN
                    RAISE EXCEPTION 'canceling the transaction since it was involved in a distributed deadlock'
                        USING ERRCODE = '40P01';
                END IF;
                RETURN NEW;
                """)
            let before = try #require(mishap.daemon.metrics().count("millrace_writer_deadlocks_total"))
            let events = EventFactory(seed: 196).lines(0..<3)
            #expect(try HTTPClient(mishap.daemon.http).postEvents(events, query: "?ack=committed").status == 200)
            #expect(try mishap.daemon.metrics().count("millrace_writer_deadlocks_total") == before + 1)
            #expect(try mishap.auditor.rows == 3)
        }

        @Test func `what a crash left prepared on workers is waited for, by a daemon that connects and by verify`()
            throws
        {
            let cluster = try TestCluster(isDurable: false)
            try cluster.superuser().execute("ALTER SYSTEM SET max_prepared_transactions = 10")
            try cluster.stop()
            try cluster.start()
            let installation = try Installation(cluster: cluster)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            let stub = CitusStub(cluster: cluster, database: installation.database)
            try stub.install()
            let session = try stub.superuser()
            try session.execute("BEGIN; CREATE TABLE public.left_over (); PREPARE TRANSACTION 'citus_0_4711_1_1'")
            let isOld =
                "SELECT count(*) FROM pg_prepared_xacts WHERE prepared < clock_timestamp() - interval '2 seconds'"
            #expect(try eventually { try auditor.integer(isOld) == 1 })

            try daemon.start()
            #expect(try HTTPClient(daemon.http).postEvents(EventFactory(seed: 195).lines(0..<7)).status == 202)
            let verify = try SpawnedProcess(
                MillraceBinary.path, ["verify", "--quiet", "--config", daemon.configuration],
                mark: daemon.configuration,
                output: daemon.directory + "/verify", errors: daemon.directory + "/verify")
            for name in ["millrace ledger%", "millrace command"] {
                let asks = """
                    SELECT count(*)
                    FROM pg_stat_activity
                    WHERE application_name LIKE '\(name)' AND query LIKE '%recover_prepared_transactions%'
                    """
                #expect(try eventually { try auditor.integer(asks) > 0 }, "\(name)")
            }
            #expect(try auditor.rows == 0)
            #expect(verify.isRunning)
            try session.execute("ROLLBACK PREPARED 'citus_0_4711_1_1'")
            try auditor.waitForRows(7)
            #expect(
                try verify.waitForExit(within: .seconds(60)) == .status(0),
                "\(TextFile.read(daemon.directory + "/verify"))")
            try auditor.verify(daemon)
        }

        @Test func `check says what a cluster lacks, and refuses tables that belong on the coordinator`() throws {
            let cluster = try TestCluster.own
            let installation = try Installation(
                cluster: cluster,
                settings: ["database.distribution": "\"citus\"", "projections.packs": "[\"analytics\"]"])
            let daemon = installation.daemon
            let without = try daemon.run("check")
            #expect(without.output.contains("the extension is not there"), "\(without.output)")
            let migrate = try daemon.run("migrate", "up")
            #expect(
                migrate.exit == .status(1) && migrate.errors.contains("CREATE EXTENSION citus"), "\(migrate.errors)")
            let stub = CitusStub(cluster: cluster, database: installation.database)
            try stub.install()
            #expect(try daemon.run("migrate", "up").isSuccess)
            let backup = try daemon.run("backup")
            #expect(backup.exit == .status(1) && backup.errors.contains("backup_distributed"), "\(backup.errors)")
            #expect(try daemon.run("check").output.contains("ok    backup: of a cluster none is made"))
            let session = try stub.superuser()
            for (relation, column, reason) in [
                ("public.ingest_batches", "spool_id", "belongs on the coordinator"),
                ("projections.analytics_active_users", "tenant_id", "only counters and tops"),
            ] {
                try session.execute("INSERT INTO citus_stub.distributed VALUES ('\(relation)', '\(column)')")
                let check = try daemon.run("check")
                #expect(check.exit == .status(1) && check.output.contains("\(relation): "), "\(check.output)")
                #expect(check.output.contains(reason), "\(check.output)")
                try session.execute("DELETE FROM citus_stub.distributed WHERE relation = '\(relation)'::regclass")
            }
            // Counts may be spread; a rebuild would make them the coordinator's again, and says so.
            try session.execute(
                "INSERT INTO citus_stub.distributed VALUES ('projections.analytics_events_by_hour', 'event_type')")
            #expect(try !daemon.run("check").output.contains("analytics_events_by_hour: "))
            let rebuild = try daemon.run("projections", "rebuild", "analytics")
            #expect(rebuild.exit == .status(1) && rebuild.errors.contains("tables_distributed"), "\(rebuild.errors)")
        }
    }
}
