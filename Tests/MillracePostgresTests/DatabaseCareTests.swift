import MillraceTestSupport
import Testing

@testable import MillracePostgres

@Suite(.onOwnThreads) struct DatabaseCareTests {
    private let database: TestDatabase
    private let connection: PostgresConnection

    init() throws {
        database = try TestCluster.own.database()
        connection = try database.connect()
    }

    private func table(_ section: CareSection, by other: PostgresConnection? = nil) throws -> CareTable {
        try #require(try DatabaseCare(connection: other ?? connection).report().table(section.name))
    }

    private static func text(_ value: CareTable.Value) -> String {
        switch value {
        case .none: ""
        case .bool(let bool): "\(bool)"
        case .integer(let number): "\(number)"
        case .number(let digits): digits
        case .text(let text): text
        }
    }

    /// Rows as dictionaries of texts.
    private func rows(_ section: CareSection, by other: PostgresConnection? = nil) throws -> [[String: String]] {
        let table = try table(section, by: other)
        #expect(table.columns.last == "fix", "\(section.name)")
        return table.rows.map { row in
            Dictionary(uniqueKeysWithValues: zip(table.columns, row.map(Self.text)))
        }
    }

    @Test func `every part has its rows or a reason`() throws {
        let report = try DatabaseCare(connection: connection).report()
        #expect(report.tables.map(\.name) == CareSection.all.map(\.name))
        for table in report.tables {
            #expect(
                table.note == nil || table.name == CareSection.slowQueries.name, "\(table.name): \(table.note ?? "")")
            #expect(table.columns.isEmpty || table.columns.last == "fix", "\(table.name)")
        }
    }

    @Test func `a wait for a lock names who blocks whom, and hides what the statements hold`() throws {
        try connection.execute("CREATE TABLE contested (n int)")
        let blocker = try database.connect(applicationName: "blocks")
        try blocker.execute("BEGIN; INSERT INTO contested VALUES (1); LOCK TABLE contested; SELECT 'secret-1'")
        let waiter = BackgroundThread { [database] in
            try database.connect(applicationName: "waits").execute("SELECT 'secret-2' FROM contested")
        }
        #expect(
            try eventually { try rows(.lockWaits).contains { $0["waiting_application"]?.contains("waits") == true } })
        let found = try #require(try rows(.lockWaits).first { $0["waiting_application"]?.contains("waits") == true })
        #expect(found["blocking_application"]?.contains("blocks") == true, "\(found)")
        #expect(found["blocking_state"]?.contains("idle in transaction") == true, "\(found)")
        #expect(found["object"]?.contains("contested") == true, "\(found)")
        #expect(found["fix"]?.contains("pg_terminate_backend(\(blocker.backendID))") == true, "\(found)")
        #expect(found.values.allSatisfy { !$0.contains("secret") }, "\(found)")
        try blocker.execute("COMMIT")
        try waiter.join()
    }

    @Test func `dead rows, bloat, unused and duplicate indexes are found, each with its command`() throws {
        try connection.execute(
            """
            CREATE TABLE worn (n int PRIMARY KEY, text text) WITH (autovacuum_enabled = false);
            INSERT INTO worn SELECT n, md5(n::text) FROM generate_series(1, 60000) AS n;
            CREATE INDEX worn_text_idx ON worn (text);
            CREATE INDEX worn_again_idx ON worn (text);
            DELETE FROM worn WHERE n % 10 <> 0;
            ANALYZE worn
            """)
        try connection.execute("SELECT pg_stat_force_next_flush()")
        #expect(
            try eventually {
                try rows(.deadTuples).contains { $0["fix"]?.contains("VACUUM (ANALYZE) public.worn") == true }
            })
        let overdue = try rows(.autovacuum).first { $0["table"]?.contains("public.worn") == true }
        #expect(overdue?["fix"]?.contains("RESET (autovacuum_enabled)") == true, "\(String(describing: overdue))")
        let bloated = try rows(.bloat).filter { $0["fix"]?.contains("worn") == true }
        #expect(bloated.contains { $0["fix"]?.contains("millrace reindex worn_text_idx") == true }, "\(bloated)")
        #expect(bloated.contains { $0["kind"]?.contains("table") == true }, "\(bloated)")
        let unused = try rows(.unusedIndexes).filter { $0["table"]?.contains("worn") == true }
        #expect(unused.contains { $0["fix"]?.contains("DROP INDEX CONCURRENTLY worn_text_idx") == true }, "\(unused)")
        let duplicates = try rows(.duplicateIndexes).filter { $0["table"]?.contains("worn") == true }
        #expect(duplicates.count == 1)
        #expect(duplicates.first?["fix"]?.contains("DROP INDEX CONCURRENTLY worn_again_idx") == true, "\(duplicates)")
        // The commands are ones that PostgreSQL takes.
        for fix in try table(.duplicateIndexes).fixes + table(.deadTuples).fixes where fix.contains("worn") {
            try connection.execute(fix)
        }
        #expect(try rows(.duplicateIndexes).allSatisfy { $0["table"]?.contains("worn") == false })
        #expect(try rows(.deadTuples).allSatisfy { $0["table"]?.contains("worn") == false })
    }

    @Test
    func `a fresh database has neither duplicate nor invalid indexes, and no fix that would drop one of Millrace's`()
        throws
    {
        try Partitions(connection: connection).ensureAhead(months: 1, from: 0)
        let report = try DatabaseCare(connection: connection).report()
        #expect(report.table("duplicate_indexes")?.rows.isEmpty == true)
        #expect(report.table("invalid_indexes")?.rows.isEmpty == true)
        #expect(report.table("unused_indexes")?.fixes.allSatisfy { !$0.contains("DROP") } == true)
    }

    @Test func `a slot that nobody reads is named with the log that it keeps`() throws {
        let admin = try TestCluster.own.superuser()
        let slot = "abandoned_\(database.name.suffix(20).filter { $0.isLetter || $0.isNumber || $0 == "_" })"
        try admin.execute("SELECT pg_create_physical_replication_slot('\(slot)', true)")
        defer { _ = try? admin.execute("SELECT pg_drop_replication_slot('\(slot)')") }
        let found = try rows(.slots).first { $0["slot"]?.contains(slot) == true }
        #expect(found?["fix"]?.contains("pg_drop_replication_slot('\(slot)')") == true, "\(String(describing: found))")
        #expect(found?["kept_bytes"].flatMap { Int($0) } != nil)
    }

    @Test func `a role without pg_monitor gets what it may see, and is told what is missing`() throws {
        let admin = try TestCluster.own.superuser()
        let role = "lean_\(database.name.prefix(30))"
        try admin.execute("CREATE ROLE \(role) LOGIN")
        defer { _ = try? admin.execute("DROP ROLE \(role)") }
        let lean = try PostgresConnection(
            connectionString: TestCluster.own.cluster.connectionString(role: role, database: database.name),
            applicationName: "lean", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
        let report = try DatabaseCare(connection: lean).report()
        #expect(!report.isMonitor && report.notes.contains { $0.contains("GRANT pg_monitor TO \(role)") })
        #expect(report.tables.map(\.name) == CareSection.all.map(\.name))
        #expect(report.table("connections")?.rows.isEmpty == false)
        #expect(report.table("wraparound")?.rows.isEmpty == false)
        lean.close()
    }

    @Test func `where pg_stat_statements is there, p95 lies between the mean and what no distribution exceeds`() throws
    {
        let admin = try PostgresConnection(
            connectionString: TestCluster.own.cluster.connectionString(role: "postgres", database: database.name),
            applicationName: "admin", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
        #expect(
            try DatabaseCare(connection: connection).report().table("slow_queries")?.note?.contains("CREATE EXTENSION")
                == true)
        guard try admin.execute("SHOW shared_preload_libraries").string(0, 0)?.contains("pg_stat_statements") == true
        else {
            Issue.record("the embedded cluster loads pg_stat_statements where it is installed (postgresql-contrib)")
            return
        }
        try admin.execute("CREATE EXTENSION pg_stat_statements")
        for round in 0..<20 { try connection.execute("SELECT pg_sleep(\(round == 7 ? 0.05 : 0.002)), 'secret-3'") }
        let slow = try table(.slowQueries)
        #expect(slow.note == nil)
        let row = try #require(
            try rows(.slowQueries).first { $0["query"]?.contains("pg_sleep") == true }, "\(slow.rows.map { $0[0] })")
        func number(_ name: String) throws -> Double {
            try #require(row[name].flatMap { Double($0) })
        }
        #expect(try number("p95_ms") >= number("mean_ms") && number("p95_ms") <= number("max_ms"))
        #expect(try number("p95_ms") <= number("p95_at_most_ms"))
        #expect(try number("max_ms") >= 50)
        #expect(row.values.allSatisfy { !$0.contains("secret-3") })
    }
}
