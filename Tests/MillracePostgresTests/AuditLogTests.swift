import MillraceJSON
import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct AuditLogTests {
    private let database: TestDatabase
    private let connection: PostgresConnection

    init() throws {
        database = try TestCluster.shared.database()
        connection = try database.connect()
    }

    private func count(_ condition: String = "true") throws -> Int {
        try connection.execute("SELECT count(*) FROM public.audit_log WHERE \(condition)").count(0, 0)
    }

    private func record(_ object: String) throws {
        try connection.transaction { () throws(PostgresError) in
            try AuditLog.record(.keyCreate, object, on: connection)
        }
    }

    @Test func `an act that is rolled back leaves no row, one that is committed leaves one`() throws {
        let actor = AuditActor.key("0123456789ab", address: "192.0.2.7", clientSubject: "CN=app")
        #expect(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) in
                try AuditLog.record(.keyRevoke, "abc", by: actor, on: connection)
                try connection.execute("SELECT 1/0")
            }
        }
        try #expect(count("object = 'abc'") == 0)
        try connection.transaction { () throws(PostgresError) in
            try AuditLog.record(
                .keyRevoke, "abc", before: ["name": "the \"app\"", "tenant": .integer(2)], after: [:], by: actor,
                on: connection)
        }
        let row = try connection.execute(
            """
            SELECT actor, actor_kind, origin, action, before ->> 'name', after::text, database_role = session_user
            FROM public.audit_log
            WHERE object = 'abc'
            """)
        #expect(
            (0..<6).map { row.string(0, $0) } == [
                "0123456789ab", "key", "192.0.2.7 (CN=app)", "key.revoke", "the \"app\"", "{}",
            ])
        #expect(row.rowCount == 1 && row.bool(0, 6) == true)
    }

    @Test(arguments: [
        "UPDATE public.audit_log SET actor = 'nobody'", "DELETE FROM public.audit_log", "TRUNCATE public.audit_log",
        "SET millrace.audit = 'purge'; DELETE FROM public.audit_log",
        "SET millrace.audit = 'purge'; TRUNCATE public.audit_log",
    ])
    func `what is written stays, for the tables' owner too`(change: String) throws {
        try record("kept")
        let before = try count()
        let error = try #require(throws: PostgresError.self) { try connection.execute(change) }
        #expect(error.sqlState?.rawValue == "MR020")
        try #expect(count() == before && before > 0)
    }

    @Test func `only what is older than 30 days can be purged, and that leaves a row`() throws {
        try record("new")
        try connection.execute(
            """
            INSERT INTO public.audit_log (at, actor, actor_kind, origin, action, object)
            SELECT now() - days * interval '1 day', 'somebody', 'system', 'here', 'key.create', 'old'
            FROM unnest(ARRAY[29, 31, 500]) AS days
            """)
        let error = try #require(throws: PostgresError.self) {
            try AuditLog.purge(olderThan: .seconds(29 * 86_400), on: connection, timeout: .seconds(10))
        }
        #expect(error.sqlState?.rawValue == "MR020")
        try #expect(AuditLog.purge(olderThan: .seconds(400 * 86_400), on: connection, timeout: .seconds(10)) == 1)
        try #expect(count("object = 'old'") == 2 && count("object = 'new'") == 1)
        try #expect(count("action = 'audit.purge' AND before ->> 'rows' = '1'") == 1)
        try #expect(AuditLog.purge(olderThan: .seconds(400 * 86_400), on: connection, timeout: .seconds(10)) == 0)
        try #expect(count("action = 'audit.purge'") == 1)
        try #expect(AuditLog.purge(olderThan: .seconds(30 * 86_400), on: connection, timeout: .seconds(10)) == 1)
    }

    @Test func `each migration is written down from the one on that makes the table`() throws {
        let migrator = Migrator(connection: connection)
        let version = try #require(Migration.all.first { $0.title == "audit_log" }).version
        let later = Migration.all.filter { $0.version >= version }
        try #expect(count("action = 'migration.up'") == later.count)
        try migrator.down(count: later.count)
        try #expect(!AuditLog.isThere(connection))
        try migrator.up()
        try #expect(count("action = 'migration.up'") == later.count)
    }

    @Test func `a month that is made is written down with it`() throws {
        try Partitions(connection: connection).ensureAhead(months: 0, from: 0)
        try #expect(count("action = 'partition.create' AND object = 'analytics_events_y1970m01'") == 1)
        try Partitions(connection: connection).ensureAhead(months: 0, from: 0)
        try #expect(count("action = 'partition.create' AND object = 'analytics_events_y1970m01'") == 1)
    }

    @Test func `whoever runs a command is known by name and host`() {
        #expect(AuditActor.process.kind == .system)
        #expect(!AuditActor.process.name.isEmpty && AuditActor.process.origin == HostName.current)
    }
}
