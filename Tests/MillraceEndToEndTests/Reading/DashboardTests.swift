import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct DashboardTests {
        private struct User: Decodable, Equatable {
            var email: String
            var first_name: String
            var last_name: String
            var plan: String
            var question_count: Int
        }

        private static let known = "843d440a-a7a7-45ee-96df-3568c37384b9"
        private static let unknown = "843d440a-a7a7-45ee-96df-3568c37384b0"
        private static let health = "/api/v1/stats-fast/health"

        @Test func `the dashboard names users, and answers without the database that knows them`() throws {
            let people = try TestCluster(isDurable: false)
            let identity = try people.database("identity", isMigrated: false)
            try identity.connect().execute(
                """
                CREATE TABLE public.users (
                    id uuid PRIMARY KEY, email text, first_name text, last_name text, plan text
                );
                INSERT INTO public.users VALUES ('\(Self.known)', 'dominic@example.com', 'Dominic', 'Roy', 'pro')
                """)
            let installation = try Installation(
                settings: [
                    "identity.url": DaemonSettings.quoted(identity.connectionString), "identity.retry_after": "\"0s\"",
                    "identity.cache_lifetime": "\"0s\"", "jwt.secret": "\"\(BearerToken.secret)\"",
                ])
            let daemon = installation.daemon
            try installation.database.connect().execute(
                """
                INSERT INTO projections.conversations_top_users (user_id, n)
                VALUES ('\(Self.known)', 7000), ('\(Self.unknown)', 5000)
                """)
            try daemon.start()
            let token = BearerToken(subject: Self.known, scope: "millrace:read")
            func dashboard() throws -> DashboardAnswer<User>.Billing {
                let answer = try HTTPClient(daemon.http).request(
                    "GET", "/api/v1/stats-fast/dashboard", headers: [token.header])
                #expect(answer.status == 200, "\(answer.text)")
                return try JSONDecoder().decode(DashboardAnswer<User>.self, from: Data(answer.body)).billing_stats
            }
            let named = User(
                email: "dominic@example.com", first_name: "Dominic", last_name: "Roy", plan: "pro", question_count: 7000
            )
            let fallback = User(
                email: Self.unknown, first_name: "", last_name: "", plan: "free", question_count: 5000)
            #expect(try dashboard().top_users == [named, fallback])
            #expect(try dashboard().identity == "available")
            try daemon.waitUntil("/readyz")
            let healthy = eventually {
                (try? HTTPClient.get(Self.health, at: daemon.http).text)
                    == #"{"status":"healthy","databases":{"postgresql":{"status":"healthy"},"supabase":{"status":"healthy"}}}"#
            }
            #expect(healthy, "\((try? HTTPClient.get(Self.health, at: daemon.http).text) ?? "")")

            try people.stop()
            let without = try dashboard()
            #expect(without.identity == "unavailable")
            // Known from before, however old.
            #expect(without.top_users == [named, fallback])
            let unhealthy = eventually {
                (try? HTTPClient.get(Self.health, at: daemon.http))
                    .map { $0.status == 200 && $0.text.contains(#""supabase":{"status":"unhealthy","error":"#) }
                    ?? false
            }
            #expect(unhealthy)
            #expect(try HTTPClient(daemon.http).request("GET", "/api/v1/stats-fast/dashboard").status == 401)

            try people.start()
            #expect(eventually { (try? dashboard().identity) == "available" })
        }

        @Test func `strict health checks answer 503 while PostgreSQL is away`() throws {
            let installation = try Installation(
                environment: ["STRICT_HEALTH_CHECKS": "true"],
                databaseURL: { _ in "host=/nonexistent dbname=none password=hunter2" })
            let daemon = installation.daemon
            try daemon.start()
            let answer = try HTTPClient.get(Self.health, at: daemon.http)
            #expect(answer.status == 503)
            #expect(
                answer.text.hasPrefix(
                    #"{"status":"unhealthy","databases":{"postgresql":{"status":"unhealthy","error":"#))
            #expect(!answer.text.contains("hunter2") && !answer.text.contains("nonexistent"))
        }
    }
}
