import MillraceTestSupport
import Testing

@testable import MillracePostgres

/// The migration to keys with the tenant, of a database that has months with rows.
@Suite(.onOwnThreads) struct TenantKeyMigrationTests {
    private let database: TestDatabase
    private let connection: PostgresConnection
    private let migrator: Migrator
    private let version: Int

    /// Before the migration, with the months of January and February 1970.
    init() throws {
        database = try TestCluster.shared.database(isMigrated: false)
        connection = try database.connect()
        migrator = Migrator(connection: connection)
        version = try #require(Migration.all.first { $0.title == "tenant_keys" }?.version)
        try migrator.up(to: version - 2)
        try Partitions(connection: connection).ensureAhead(months: 1, from: 0)
        try Self.insert(rows: 1...1000, on: connection)
    }

    private static func insert(
        rows: ClosedRange<Int>, tenant: Int = 0, on connection: PostgresConnection
    ) throws(PostgresError) {
        let values = """
            SELECT md5(n::text)::uuid, \(tenant), 'a', timestamptz '1970-01-01 00:00:00+00' + n * interval '1 hour', 1
            FROM generate_series(\(rows.lowerBound), \(rows.upperBound)) AS n
            """
        try connection.execute(
            """
            INSERT INTO analytics_events (id, tenant_id, event_type, created_at, batch_id) \(values);
            INSERT INTO outbox (id, tenant_id, event_type, created_at)
            SELECT id, tenant_id, 'a', created_at FROM (\(values)) AS row (id, tenant_id, type, created_at, batch_id)
            """)
    }

    private func keys() throws(PostgresError) -> Set<String> {
        let found = try connection.execute(
            """
            SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
            FROM pg_constraint
            WHERE contype = 'p' AND conrelid::regclass::text ~ '^(analytics_events|conversations|event_ids|outbox)'
            """)
        return Set((0..<found.rowCount).compactMap { found.string($0, 0) })
    }

    private func leftIndexes() throws(PostgresError) -> Int {
        try connection.execute("SELECT count(*) FROM pg_class WHERE relname ~ '^millrace_key_'").count(0, 0)
    }

    private static func keys(_ columns: String, ofIDs: String) -> Set<String> {
        let parents = ["analytics_events", "conversations"]
        let tables = parents.flatMap { [$0, "\($0)_y1970m01", "\($0)_y1970m02"] } + ["outbox"]
        return Set(tables.map { "\($0) \($0)_pkey PRIMARY KEY (\(columns))" })
            .union(["event_ids event_ids_pkey PRIMARY KEY (\(ofIDs))"])
    }

    @Test func `every key learns the tenant, and the way back takes it away`() throws {
        try migrator.up(to: version)
        try #expect(keys() == Self.keys("created_at, id, tenant_id", ofIDs: "id, tenant_id"))
        try Self.insert(rows: 1...1000, tenant: 7, on: connection)
        try connection.execute(
            "DELETE FROM analytics_events WHERE tenant_id = 7; DELETE FROM outbox WHERE tenant_id = 7")
        try migrator.down(count: 2)
        try #expect(keys() == Self.keys("created_at, id", ofIDs: "id"))
        try #expect(leftIndexes() == 0)
        try migrator.up(to: version)
        try #expect(connection.execute("SELECT count(*) FROM analytics_events").int(0, 0) == 1000)
    }

    @Test func `a month made after it has the key from the start`() throws {
        try migrator.up(to: version)
        let made = try Partitions(connection: connection).ensureAhead(months: 2, from: 0)
        #expect(made == ["analytics_events_y1970m03", "conversations_y1970m03"])
        let month = "analytics_events_y1970m03"
        try #expect(keys().contains("\(month) \(month)_pkey PRIMARY KEY (created_at, id, tenant_id)"))
    }

    @Test func `the way back is refused where two tenants share an id, and leaves all as it was`() throws {
        try migrator.up(to: version)
        try Self.insert(rows: 5...5, tenant: 7, on: connection)
        let error = try #require(throws: MigrationError.self) { try migrator.down() }
        #expect(error.message.contains("two tenants have rows with the same id"))
        try #expect(leftIndexes() == 0)
        try #expect(keys() == Self.keys("created_at, id, tenant_id", ofIDs: "id, tenant_id"))
        // All of it goes, so nobody's ids are in the way.
        try migrator.reset()
    }

    @Test func `what a build left that was interrupted is built anew, or goes`() throws {
        let index = try #require(
            try connection.execute("SELECT 'millrace_key_' || 'analytics_events_y1970m01'::regclass::oid").string(0, 0))
        #expect(throws: PostgresError.self) {
            try connection.execute(
                "CREATE UNIQUE INDEX CONCURRENTLY \(index) ON analytics_events_y1970m01 (event_type)")
        }
        try #expect(leftIndexes() == 1)
        try migrator.up(to: version)
        try #expect(keys() == Self.keys("created_at, id, tenant_id", ofIDs: "id, tenant_id"))
        try #expect(leftIndexes() == 0)
        try connection.execute("CREATE UNIQUE INDEX \(index) ON analytics_events_y1970m01 (created_at, id)")
        try migrator.up()
        try #expect(leftIndexes() == 0)
    }

    @Test func `a month that was detached before it is attached after it`() throws {
        try connection.execute("ALTER TABLE analytics_events DETACH PARTITION analytics_events_y1970m01")
        try migrator.up(to: version)
        let month = try #require(PartitionMonth(year: 1970, month: 1))
        try Partitions(connection: connection).attach(month, of: .analyticsEvents)
        try #expect(keys() == Self.keys("created_at, id, tenant_id", ofIDs: "id, tenant_id"))
        try #expect(connection.execute("SELECT count(*) FROM analytics_events").int(0, 0) == 1000)
    }

    @Test func `while a reader keeps it from its locks, rows go in; it goes on when the reader is done`() throws {
        let (reader, writer) = try (database.connect(), database.connect())
        try reader.execute("BEGIN; SELECT count(*) FROM analytics_events")
        let thread = BackgroundThread { [database, version] in
            try Migrator(connection: database.connect()).up(to: version)
        }
        // It waits for its locks only once it has built the indexes.
        let isWaiting = try eventually {
            try connection.execute(
                """
                SELECT count(*) FROM pg_locks
                WHERE NOT granted AND mode = 'AccessExclusiveLock' AND relation = 'analytics_events'::regclass
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """
            ).count(0, 0) > 0
        }
        #expect(isWaiting)
        // Behind it in the queue, until it gives up.
        for row in 1001...1003 { try Self.insert(rows: row...row, on: writer) }
        try #expect(migrator.status().last { $0.state == .applied }?.version == version - 1)
        try reader.execute("COMMIT")
        try thread.join()
        try #expect(keys() == Self.keys("created_at, id, tenant_id", ofIDs: "id, tenant_id"))
        try #expect(connection.execute("SELECT count(*) FROM analytics_events").int(0, 0) == 1003)
    }
}
