import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceCommands

/// Commands that work on one tenant's rows.
@Suite(.onOwnThreads) struct TenantCommandTests {
    private let database: TestDatabase
    private let connection: PostgresConnection

    init() throws {
        database = try TestCluster.shared.database()
        connection = try database.connect()
        try connection.execute("INSERT INTO public.tenants (id, name) VALUES (7, 'seven')")
    }

    private func run(_ arguments: String...) async -> Int32 {
        let settings = ["database.url=\(database.connectionString)", "projections.packs=workspaces"]
        return await CommandLineTool.run(arguments + settings.flatMap { ["--set", $0] })
    }

    private func count(_ table: String, tenant: Int) throws -> Int {
        try connection.execute("SELECT count(*) FROM \(table) WHERE tenant_id = \(tenant)").count(0, 0)
    }

    @Test func `a seed is one tenant's, and goes without the other's`() async throws {
        #expect(await run("migrate", "up") == 0)
        #expect(await run("migrate", "seed", "--tenant", "8") == 1)
        #expect(await run("migrate", "seed", "--tenant", "7") == 0)
        let (events, users) = try (
            count("analytics_events", tenant: 7), count("projections.workspaces_users", tenant: 7)
        )
        #expect(events > 0 && users > 0)
        try #expect(count("analytics_events", tenant: 0) == 0)
        #expect(await run("migrate", "seed") == 0)
        try #expect(count("analytics_events", tenant: 0) == events)
        try #expect(count("projections.workspaces_users", tenant: 0) == users)
        #expect(await run("migrate", "seed", "--tenant", "7") == 0)
        #expect(await run("migrate", "unseed") == 0)
        try #expect(count("analytics_events", tenant: 0) == 0)
        try #expect(count("projections.workspaces_users", tenant: 0) == 0)
        try #expect(count("analytics_events", tenant: 7) == events)
        try #expect(count("projections.workspaces_users", tenant: 7) == users)
        #expect(await run("projections", "verify") == 0)
    }

    @Test func `an export is of a tenant that the database knows`() async throws {
        let directory = try ScratchDirectory()
        for (tenant, status) in [("7", Int32(0)), ("8", 1), ("-1", 2)] {
            let path = "\(directory.path)/\(tenant).ndjson"
            let export = ["export", "--from", "2026-01-01", "--to", "2027-01-01", "--no-compress", "--output", path]
            let settings = ["--set", "database.url=\(database.connectionString)"]
            #expect(await CommandLineTool.run(export + ["--tenant=\(tenant)"] + settings) == status)
        }
    }

    @Test func `dead letters of one tenant are purged without the others'`() async throws {
        try connection.execute(
            """
            INSERT INTO dead_letters
                (spool_id, sequence, kind, tenant_id, code, message, line, received_at, dead_at, batch_id)
            SELECT gen_random_uuid(), 1, 'event', tenant, 'database', 'no', '{}', now(), now() - interval '2 days', 1
            FROM unnest(ARRAY[0, 7, 8]) AS tenant
            """)
        #expect(await run("dead-letters", "purge", "--older-than", "1d", "--tenant", "7", "--yes") == 0)
        let purged = try connection.execute(
            "SELECT string_agg(tenant_id::text, ',') FROM dead_letters WHERE state = 'purged'")
        #expect(purged.string(0, 0) == "7")
        #expect(await run("dead-letters", "retry", "--tenant", "7", "--id", "x") == 2)
    }
}
