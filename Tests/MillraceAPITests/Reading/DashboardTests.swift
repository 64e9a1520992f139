import MillraceAPI
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

@Suite(.timeLimit(.minutes(10)))
struct DashboardTests {
    private static let path = "/api/v1/stats-fast/dashboard"

    private func fixture(_ name: String = #function) throws -> ReadFixture {
        let fixture = try ReadFixture(name)
        var sketch = HyperLogLog()
        for user in 0..<3 { withUnsafeBytes(of: UInt64(user)) { sketch.insert(hash: HyperLogLog.hash($0)) } }
        // So few are in one row.
        let digits = WideSketch.hexadecimal(sketch.chunks[0].bytes)
        try fixture.database.connect().execute(
            """
            INSERT INTO projections.conversations_top_users (user_id, n)
            SELECT ('843d440a-a7a7-45ee-96df-3568c37384b' || i)::uuid, 100 - i FROM generate_series(0, 9) AS i;
            INSERT INTO projections.conversations_questions_by_source (source, bucket, slot, n)
            SELECT s, date_trunc('day', now()) - d * interval '1 day', 0, d + 1
            FROM unnest(ARRAY['web', 'app']) AS s, generate_series(0, 40) AS d;
            INSERT INTO projections.conversations_active_users (bucket, slot, chunk, sketch)
            SELECT date_trunc('day', now()) - d * interval '1 day', 0, 0, '\\x\(digits)' FROM generate_series(0, 3) AS d
            """)
        return fixture
    }

    private func identity(_ name: String) throws -> TestDatabase {
        let database = try TestCluster.shared.database("identity_" + name, isMigrated: false)
        try database.connect().execute(
            """
            CREATE TABLE public.users (id uuid PRIMARY KEY, email text, first_name text, last_name text, plan text);
            INSERT INTO public.users VALUES
                ('\(ReadFixture.users[0])', 'a@example.com', 'Anne', 'Éluard', 'pro'),
                ('\(ReadFixture.users[1])', 'b@example.com', NULL, NULL, NULL)
            """)
        return database
    }

    @Test func `top users have their names, and fallbacks where they are not known`() async throws {
        let fixture = try fixture()
        let identity = try identity("names")
        try await fixture.withAPI(identityURL: identity.connectionString, change: { $1.identity.usersMax = 3 }) {
            client in
            let answer = try await client.get(Self.path)
            #expect(answer.status == 200, "\(answer.body)")
            let stats = answer.json.billing_stats
            #expect(stats.identity.text == "available")
            #expect(stats.top_users.elements.count == 3)
            #expect(stats.top_users[0].email.text == "a@example.com")
            #expect(stats.top_users[0].first_name.text == "Anne")
            #expect(stats.top_users[0].plan.text == "pro")
            #expect(stats.top_users[0].question_count.int == 100)
            #expect(stats.top_users[1].email.text == "b@example.com")
            #expect(stats.top_users[1].plan.text == "free")
            #expect(stats.top_users[2].email.text == ReadFixture.users[2])
            #expect(stats.top_users[2].first_name.text == "")
            #expect(stats.top_users[2].plan.text == "free")
            let usage = answer.json.usage_stats
            #expect(usage.questions_total.int == 41 * 42)
            #expect(usage.questions_by_day.elements.count == 30)
            #expect(usage.questions_by_source.elements.map(\.n.int) == [861, 861])
            #expect(usage.active_users_today.int == 3)
            #expect(usage.active_users_30_days.int == 3)
        }
    }

    @Test func `an identity database that is away is marked, and known names stay`() async throws {
        let fixture = try fixture()
        let identity = try identity("away")
        try await fixture.withAPI(identityURL: identity.connectionString, change: { $1.identity.usersMax = 2 }) {
            client in
            #expect(try await client.get(Self.path).json.billing_stats.identity.text == "available")
            try TestCluster.shared.superuser().execute("DROP DATABASE \(identity.name) WITH (FORCE)")
            try fixture.database.connect().execute(
                "UPDATE projections.conversations_top_users SET n = 1000 WHERE user_id = '\(ReadFixture.users[4])'")
            let answer = try await client.get(Self.path)
            #expect(answer.status == 200)
            let stats = answer.json.billing_stats
            #expect(stats.identity.text == "unavailable", "\(answer.body)")
            #expect(stats.top_users[0].email.text == ReadFixture.users[4])
            #expect(stats.top_users[1].email.text == "a@example.com")
            let health = try await client.get("/api/v1/stats-fast/health")
            #expect(health.status == 200)
            #expect(
                health.body == #"{"status":"unhealthy","databases":{"postgresql":{"status":"healthy"},"#
                    + #""supabase":{"status":"unhealthy","error":"the server has no such database"}}}"#)
        }
    }

    @Test func `the health page has the guide's JSON`() async throws {
        let fixture = try await SharedReadFixture.value()
        try await fixture.withAPI(identityURL: fixture.database.connectionString) { client in
            let answer = try await client.get("/api/v1/stats-fast/health")
            #expect(answer.status == 200)
            #expect(
                answer.body == #"{"status":"healthy","databases":{"postgresql":{"status":"healthy"},"#
                    + #""supabase":{"status":"healthy"}}}"#)
        }
        try await fixture.withAPI { client in
            let answer = try await client.get("/api/v1/stats-fast/health")
            #expect(
                answer.body == #"{"status":"healthy","databases":{"postgresql":{"status":"healthy"},"#
                    + #""supabase":{"status":"not_configured"}}}"#)
        }
        try await fixture.withAPI(
            databaseURL: "host=/nonexistent password=hunter2", change: { $1.routes.strictHealthChecks = true }
        ) {
            client in
            let answer = try await client.get("/api/v1/stats-fast/health")
            #expect(answer.status == 503)
            #expect(
                answer.body == #"{"status":"unhealthy","databases":{"postgresql":{"status":"unhealthy","#
                    + #""error":"no connection"},"supabase":{"status":"not_configured"}}}"#)
        }
    }
}
