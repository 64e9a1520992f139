import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct CareTests {
        private struct Table<Row: Decodable>: Decodable {
            var title: String
            var note: String?
            var rows: [Row]
        }

        private struct Care: Decodable {
            struct Wait: Decodable {
                var blockingPid: Int
                var blockingApplication: String?
                var object: String
                var fix: String?
            }
            struct Connection: Decodable {
                var state: String
                var sessions: Int
                var maxConnections: Int
            }
            var server: String
            var isMonitor: Bool
            var notes: [String]
            var lockWaits: Table<Wait>
            var connections: Table<Connection>
        }

        private struct Reindex: Decodable {
            struct Entry: Decodable {
                var index: String
                var bytesBefore: Int
                var bytesAfter: Int?
                var wastedBytes: Int?
                var error: String?
            }
            var droppedLeftovers: [String]
            var indexes: [Entry]
        }

        /// A table of the daemon's role whose indexes are nine tenths waste.
        private static func wear(_ connection: PostgresConnection) throws(PostgresError) {
            try connection.execute(
                """
                CREATE TABLE worn (n int PRIMARY KEY, text text);
                INSERT INTO worn SELECT n, md5(n::text) FROM generate_series(1, 60000) AS n;
                CREATE INDEX worn_text_idx ON worn (text);
                DELETE FROM worn WHERE n % 10 <> 0
                """)
            try connection.execute("VACUUM ANALYZE worn")
        }

        @Test func `status --database and its route say who blocks whom, and which command helps`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let blocker = try installation.database.connect(applicationName: "in the way")
            try blocker.execute("BEGIN; LOCK TABLE public.analytics_events IN ACCESS EXCLUSIVE MODE")
            let events = EventFactory(seed: 81).lines(0..<10)
            #expect(try HTTPClient(daemon.http).postEvents(events).status == 202)
            func waits() throws -> [Care.Wait] {
                try daemon.run("status", "--database", "--json").report(Care.self).lockWaits.rows
            }
            #expect(try eventually { try waits().contains { $0.blockingPid == blocker.backendID } })
            let wait = try #require(try waits().first { $0.blockingPid == blocker.backendID })
            #expect(wait.blockingApplication == "in the way" && wait.object.contains("analytics_events"))
            #expect(wait.fix == "SELECT pg_terminate_backend(\(blocker.backendID))")
            let answer = try HTTPClient.get("/v1/database", at: daemon.http)
            #expect(answer.status == 200)
            let care = try CommandRun.decode(Care.self, from: answer.text)
            #expect(care.lockWaits.rows.contains { $0.blockingPid == blocker.backendID })
            #expect(care.connections.rows.contains { $0.sessions > 0 && $0.maxConnections > 0 })
            let text = try daemon.run("status", "--database")
            #expect(text.isSuccess && text.output.contains("fix: SELECT pg_terminate_backend(\(blocker.backendID))"))
            // The command that is named does help.
            let other = try installation.database.connect()
            try other.execute(try #require(wait.fix))
            try installation.auditor.waitForRows(10)
            let reader = try MadeKey.create(on: daemon, "--scope", "read")
            let admin = try MadeKey.create(on: daemon, "--scope", "admin")
            func status(_ key: String?) throws -> Int {
                try HTTPClient(daemon.http).request(
                    "GET", "/v1/database", headers: key.map { [("Authorization", "Bearer \($0)")] } ?? []
                ).status
            }
            #expect(eventually { (try? status(reader.key)) == 403 })
            #expect(try status(admin.key) == 200)
            #expect(try status(nil) == 401)
            #expect(try daemon.run("status", "--database", "--all").exit == .status(2))
        }

        @Test func `reindex rebuilds what is bloated, says what it gave, and goes on after it was killed`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            let connection = try installation.database.connect()
            try Self.wear(connection)
            let dry = try daemon.run("reindex", "--bloated", "--dry-run", "worn", "--json").report(Reindex.self)
            #expect(Set(dry.indexes.map(\.index)) == ["public.worn_pkey", "public.worn_text_idx"])
            #expect(dry.indexes.allSatisfy { $0.bytesAfter == nil && ($0.wastedBytes ?? 0) > $0.bytesBefore / 2 })

            // Another transaction keeps it from its end; it is killed meanwhile, and the server goes on by itself or not.
            let older = try installation.database.connect()
            try older.execute("BEGIN; INSERT INTO worn VALUES (1000001, 'new')")
            let scratch = try ScratchDirectory()
            let killed = try SpawnedProcess(
                MillraceBinary.path, ["reindex", "--bloated", "worn", "--config", daemon.configuration],
                mark: "reindex",
                output: "\(scratch.path)/out", errors: "\(scratch.path)/err")
            func builds() throws -> Int {
                try connection.execute("SELECT count(*) FROM index_builds WHERE done_at IS NULL").count(0, 0)
            }
            func left() throws -> Int {
                try connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").count(0, 0)
            }
            #expect(try eventually { try left() == 1 })
            #expect(try builds() == 1)
            killed.signal(SIGKILL)
            _ = try killed.waitForExit(within: .seconds(20))
            // A statement of a session that is gone waits on until it notices; nobody else rebuilds meanwhile.
            try connection.execute(
                """
                SELECT pg_terminate_backend(pid, 10000)
                FROM pg_stat_activity
                WHERE application_name = 'millrace reindex' AND datname = current_database()
                """)
            try older.execute("COMMIT")
            #expect(try left() == 1)
            let again = try daemon.run("reindex", "--bloated", "worn", "--json")
            #expect(again.isSuccess, "\(again.errors)")
            let report = try again.report(Reindex.self)
            #expect(report.droppedLeftovers.count == 1 && report.droppedLeftovers[0].contains("_ccnew"))
            #expect(report.indexes.count == 2)
            #expect(report.indexes.allSatisfy { $0.error == nil && ($0.bytesAfter ?? .max) < $0.bytesBefore / 2 })
            #expect(try left() == 0)
            #expect(try builds() == 0)
            let audited = try connection.execute("SELECT count(*) FROM audit_log WHERE action = 'index.rebuild'")
            #expect(audited.count(0, 0) == 2)
            let nothing = try daemon.run("reindex", "--bloated", "worn")
            #expect(nothing.isSuccess && nothing.output.contains("nothing to do"), "\(nothing.output)")
            #expect(try daemon.run("reindex", "no_such_index").exit == .status(1))
            #expect(try daemon.run("reindex", "--leftovers").output.contains("nothing to do"))
        }

        @Test func `reindex without names takes Millrace's own, and leaves out what was done today`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let events = EventFactory(seed: 82).lines(0..<50)
            #expect(try HTTPClient(daemon.http).postEvents(events, query: "?ack=committed").status == 200)
            let connection = try installation.database.connect()
            try connection.execute("CREATE TABLE others (n int PRIMARY KEY)")
            let dry = try daemon.run("reindex", "--dry-run", "--json").report(Reindex.self).indexes.map(\.index)
            #expect(dry.contains { $0.hasPrefix("public.analytics_events_y") })
            #expect(dry.contains { $0.hasPrefix("projections.") } && dry.contains("public.ingest_batches_pkey"))
            #expect(!dry.contains { $0.contains("others") })
            let run = try daemon.run("reindex", "ingest_batches", "analytics_events", "--json").report(Reindex.self)
            #expect(run.indexes.count > 8 && run.indexes.allSatisfy { $0.error == nil && $0.bytesAfter != nil })
            let rest = try daemon.run("reindex", "--dry-run", "--json").report(Reindex.self).indexes.map(\.index)
            #expect(rest.count == dry.count - run.indexes.count)
            #expect(
                try daemon.run("reindex", "--dry-run", "--skip-within", "0s", "--json").report(Reindex.self).indexes
                    .count == dry.count)
            // Rows went in meanwhile, and are as they were.
            let more = EventFactory(seed: 82).lines(50..<60)
            #expect(try HTTPClient(daemon.http).postEvents(more, query: "?ack=committed").status == 200)
            try installation.auditor.verify(daemon)
        }

        @Test func `a reindex that others hold up gives up in time, says who, and leaves nothing`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            let connection = try installation.database.connect()
            try Self.wear(connection)
            let holder = try installation.database.connect(applicationName: "in the way")
            try holder.execute("BEGIN; LOCK TABLE worn IN SHARE UPDATE EXCLUSIVE MODE")
            let run = try daemon.run("reindex", "worn_text_idx", "--lock-timeout", "1s")
            #expect(run.exit == .status(1))
            #expect(
                run.output.contains("not rebuilt") && run.output.contains("in the way"), "\(run.output)\(run.errors)")
            #expect(try connection.execute("SELECT count(*) FROM pg_index WHERE NOT indisvalid").count(0, 0) == 0)
            try holder.execute("ROLLBACK")
            #expect(try daemon.run("reindex", "worn_text_idx").isSuccess)
        }

        @Test func `tune recommends by memory and cores, and says what the database has`() throws {
            struct Tune: Decodable {
                struct Setting: Decodable {
                    var name: String
                    var value: String
                    var current: String?
                }
                var memoryBytes: Int
                var cores: Int
                var settings: [Setting]
            }
            let daemon = try Installation().daemon
            let report = try daemon.run("tune", "--memory", "16GiB", "--cores", "8", "--json").report(Tune.self)
            #expect(report.memoryBytes == 16 << 30 && report.cores == 8)
            #expect(report.settings.first { $0.name == "shared_buffers" }?.value == "4096MB")
            #expect(report.settings.first { $0.name == "shared_buffers" }?.current != nil)
            let text = try daemon.run("tune")
            #expect(text.isSuccess && text.output.contains("\nshared_buffers = '"), "\(text.errors)")
            // Every line is a comment or a setting.
            #expect(text.output.split(separator: "\n").allSatisfy { $0.hasPrefix("#") || $0.contains(" = '") })
            for wrong in [["--memory", "1MiB"], ["--memory", "many"], ["--cores", "0"]] {
                #expect(try daemon.run(["tune"] + wrong).exit == .status(2), "\(wrong)")
            }
        }

        @Test func `--version says the version, the schema, and the PostgreSQL that it wants`() throws {
            let run = try CommandRun(["--version"], in: ScratchDirectory())
            #expect(run.isSuccess)
            #expect(run.output.hasPrefix("millrace 0."), "\(run.output)")
            #expect(run.output.contains("schema \(Migration.all.count)") && run.output.contains("PostgreSQL 15"))
        }
    }
}
