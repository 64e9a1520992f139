import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct MigratorTests {
    private let database: TestDatabase
    private let connection: PostgresConnection

    init() throws {
        database = try TestCluster.shared.database(isMigrated: false)
        connection = try database.connect()
    }

    @Test func `up, down and up again lead to the same schema, and down to what was there before`() throws {
        let migrator = Migrator(connection: connection)
        let empty = try CatalogDump.lines(connection)
        try #expect(migrator.up() == Migration.all)
        let full = try CatalogDump.lines(connection)
        #expect(full.count > empty.count + 50)
        try #expect(migrator.down(count: 100) == Migration.all.reversed())
        try #expect(CatalogDump.lines(connection) == empty)
        try migrator.up()
        try #expect(CatalogDump.lines(connection) == full)
        try #expect(migrator.reset() == Migration.all)
        try #expect(CatalogDump.lines(connection) == full)
    }

    @Test func `each migration's down undoes just its up`() throws {
        let migrator = Migrator(connection: connection)
        for migration in Migration.all {
            let before = try CatalogDump.lines(connection)
            try #expect(migrator.up(to: migration.version) == [migration])
            let after = try CatalogDump.lines(connection)
            #expect(after != before)
            try #expect(migrator.down() == [migration])
            try #expect(CatalogDump.lines(connection) == before)
            try migrator.up(to: migration.version)
            try #expect(CatalogDump.lines(connection) == after)
        }
    }

    @Test func `a down with months and rows in it works too`() throws {
        let migrator = Migrator(connection: connection)
        try migrator.up()
        try Partitions(connection: connection).ensureAhead(months: 1, from: 0)
        try connection.execute(
            """
            INSERT INTO analytics_events (id, event_type, created_at, batch_id)
            VALUES (gen_random_uuid(), 'a', '1970-01-02 00:00:00+00', 1)
            """)
        try migrator.down(count: Migration.all.count)
        try #expect(connection.execute("SELECT to_regclass('analytics_events_y1970m01') IS NULL").bool(0, 0) == true)
    }

    @Test func `the embedded migrations are the files of sql/migrations, and each says why`() throws {
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let directory = "/\(package)/sql/migrations"
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        #expect(Set(names) == Set(Migration.all.flatMap { ["\($0.name).up.sql", "\($0.name).down.sql"] }))
        for migration in Migration.all {
            for (text, suffix) in [(migration.up, "up"), (migration.down, "down")] {
                let file = FileManager.default.contents(atPath: "\(directory)/\(migration.name).\(suffix).sql")
                #expect(file.map { String(decoding: $0, as: UTF8.self) } == text)
                #expect(text.hasPrefix("-- Why: "))
            }
        }
    }

    @Test func `a migration that fails leaves nothing, and those before it stay`() throws {
        let good = Migration(version: 1, title: "good", up: "CREATE TABLE a ()", down: "DROP TABLE a")
        let bad = Migration(version: 2, title: "bad", up: "CREATE TABLE b (); SELECT 1/0", down: "")
        let migrator = Migrator(connection: connection, migrations: [good, bad])
        let error = try #require(throws: MigrationError.self) { try migrator.up() }
        #expect(error.code == .database && error.migration == "0002_bad" && error.cause?.sqlState?.rawValue == "22012")
        try #expect(migrator.status().map(\.state) == [.applied, .pending])
        try #expect(connection.execute("SELECT to_regclass('b') IS NULL").bool(0, 0) == true)
    }

    @Test func `an applied migration that was edited stops everything, with the fix`() throws {
        let one = Migration(version: 1, title: "one", up: "CREATE TABLE a ()", down: "DROP TABLE a")
        let edited = Migration(version: 1, title: "one", up: "CREATE TABLE a (n int)", down: "DROP TABLE a")
        try Migrator(connection: connection, migrations: [one]).up()
        let migrator = Migrator(connection: connection, migrations: [edited])
        for change in [{ try migrator.up() }, { try migrator.down() }] {
            let error = try #require(throws: MigrationError.self) { try change() }
            #expect(error.code == .checksumMismatch && error.migration == "0001_one" && !error.hint.isEmpty)
        }
        try #expect(migrator.status().map(\.state) == [.changed])
    }

    @Test func `a database from a newer Millrace is left alone`() throws {
        let one = Migration(version: 1, title: "one", up: "CREATE TABLE a ()", down: "DROP TABLE a")
        let two = Migration(version: 2, title: "two", up: "CREATE TABLE b ()", down: "DROP TABLE b")
        try Migrator(connection: connection, migrations: [one, two]).up()
        let older = Migrator(connection: connection, migrations: [one])
        let error = try #require(throws: MigrationError.self) { try older.down() }
        #expect(error.code == .unknownVersion && error.migration == "0002_two")
        try #expect(older.status().map(\.state) == [.applied, .unknown])
    }

    @Test func `newer tables are written into, unless a migration says that this version may not`() throws {
        try Migrator(connection: connection).up()
        try Migrator.requireCurrent(on: connection)
        try connection.execute(
            "INSERT INTO public.millrace_migrations (version, title, checksum) VALUES (9999, 'later', 'x')")
        try Migrator.requireCurrent(on: connection)
        let function = try #require(
            try connection.execute("SELECT pg_get_functiondef('public.millrace_compatible_from()'::regprocedure)")
                .string(0, 0))
        try connection.execute(function.replacing("SELECT 25", with: "SELECT 9999"))
        let error = try #require(throws: PostgresError.self) { try Migrator.requireCurrent(on: connection) }
        #expect(error.code == .databaseUnfit && error.message.contains("knows 9999 or more"), "\(error)")
    }

    @Test func `two daemons that migrate at once apply each migration once`() throws {
        let threads = (0..<3).map { [database] _ in
            BackgroundThread { try Migrator(connection: database.connect()).up() }
        }
        for thread in threads { try thread.join() }
        let history = try Migrator(connection: connection).history()
        #expect(history.map(\.version) == Migration.all.map(\.version))
    }

    @Test func `what is built beside the writers is built so where another process applied the migration before it`()
        throws
    {
        let before = try #require(Migration.all.first { $0.title == "joined_batches" }).version - 1
        let migrator = Migrator(connection: connection)
        try migrator.up(to: before - 1)
        // Whoever chooses the migration before now waits for its turn, and finds it applied.
        try connection.execute("SELECT pg_advisory_lock(\(AdvisoryLock.migration.rawValue), 0)")
        let thread = BackgroundThread { [database] in try Migrator(connection: database.connect()).up() }
        let waiting = """
            SELECT count(*)
            FROM pg_locks
            WHERE locktype = 'advisory' AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """
        #expect(try eventually { try connection.execute(waiting).count(0, 0) == 1 })
        try migrator.up(to: before)
        try connection.execute("SELECT pg_advisory_lock(\(AdvisoryLock.migration.rawValue), 1)")
        try connection.execute("SELECT pg_advisory_unlock(\(AdvisoryLock.migration.rawValue), 0)")
        let asking = """
            SELECT count(*)
            FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND query = 'SELECT pg_try_advisory_lock(\(AdvisoryLock.migration.rawValue), 1)'
            """
        #expect(try eventually { try connection.execute(asking).count(0, 0) == 1 })
        #expect(try migrator.history().count == before)
        try connection.execute("SELECT pg_advisory_unlock(\(AdvisoryLock.migration.rawValue), 1)")
        try thread.join()
        #expect(try migrator.history().map(\.version) == Migration.all.map(\.version))
    }

    @Test func `an index that was built for a migration that was applied already is removed`() throws {
        let migrator = Migrator(connection: connection)
        try migrator.up()
        let before = try CatalogDump.lines(connection)
        let table = "'public.ingest_batches'::regclass::oid"
        try connection.execute(
            """
            DO $$
            BEGIN
                EXECUTE format('CREATE INDEX millrace_index_%s_batch_id_idx ON public.ingest_batches (rows)', \(table));
            END
            $$
            """)
        #expect(try CatalogDump.lines(connection) != before)
        #expect(try migrator.up().isEmpty)
        #expect(try CatalogDump.lines(connection) == before)
    }

    @Test func `history tells each up and down with its role, and outlives a reset`() throws {
        let migrator = Migrator(connection: connection)
        try migrator.up(to: 2)
        try migrator.down()
        let history = try migrator.history()
        #expect(history.map(\.version) == [1, 2, 2])
        #expect(history.map(\.direction) == [.up, .up, .down])
        #expect(try Set(history.map(\.role)) == [connection.execute("SELECT current_user").string(0, 0)])
        try migrator.reset()
        try #expect(migrator.history().count == 3 + 1 + Migration.all.count)
    }

    @Test func `asking for the status of an empty database changes nothing`() throws {
        let before = try CatalogDump.lines(connection)
        let migrator = Migrator(connection: connection)
        try #expect(migrator.status().allSatisfy { $0.state == .pending && $0.appliedAt == nil })
        try #expect(migrator.history().isEmpty)
        try #expect(CatalogDump.lines(connection) == before)
        try #expect(connection.execute("SELECT to_regclass('millrace_migrations') IS NULL").bool(0, 0) == true)
    }
}
