import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct IdentitySQLTests {
        private struct User: Decodable {
            var user_id: String
            var email: String
            var first_name: String
            var last_name: String
            var plan: String
            var question_count: Int
        }

        private static let users = (1...3).map { "843d440a-a7a7-45ee-96df-3568c37384b\($0)" }

        /// What Supabase has of its own, as far as the SQL uses it.
        private static let signIn = """
            CREATE ROLE anon NOLOGIN;
            CREATE ROLE authenticated NOLOGIN;
            ALTER ROLE millrace CREATEROLE;
            CREATE SCHEMA auth AUTHORIZATION millrace;
            GRANT USAGE ON SCHEMA auth TO anon, authenticated;
            ALTER DEFAULT PRIVILEGES FOR ROLE millrace IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated;
            SET ROLE millrace;
            CREATE TABLE auth.users (
                id uuid PRIMARY KEY, email varchar(255), encrypted_password varchar(255),
                email_confirmed_at timestamptz, raw_user_meta_data jsonb, raw_app_meta_data jsonb,
                last_sign_in_at timestamptz
            );
            CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
                SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
            $$;
            """

        private static func sql(_ options: String...) throws -> CommandRun {
            try CommandRun(["migrate", "identity-sql"] + options, in: ScratchDirectory())
        }

        @Test
        func `users are named as the database that signs them in knows them, which shows each only their own row`()
            throws
        {
            // A server of its own: two databases that know nothing of each other.
            let people = try TestCluster(isDurable: false)
            let identity = try people.database("identity", isMigrated: false)
            let owner = try PostgresConnection(
                connectionString: people.cluster.connectionString(role: "postgres", database: identity.name),
                applicationName: "test", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
            // Millrace's own sessions of writers turn it off, so that no row is missed.
            try owner.execute("SET row_security = on")
            try owner.execute(Self.signIn)
            try owner.execute(
                """
                INSERT INTO auth.users (id, email, encrypted_password, email_confirmed_at, raw_user_meta_data, raw_app_meta_data)
                VALUES ('\(Self.users[0])', 'ada@example.com', 'a hash', now(), '{"first_name": "Ada", "last_name": "Lovelace", "plan": "stolen"}', '{"plan": "pro"}')
                """)
            let role = people.cluster.connectionString(role: "millrace_identity", database: identity.name)
            let installation = try Installation(settings: [
                "identity.url": DaemonSettings.quoted(role), "identity.retry_after": "\"0s\"",
                "identity.cache_lifetime": "\"0s\"",
            ])
            let daemon = installation.daemon
            try daemon.start()
            let saves = Self.users.enumerated().flatMap { index, user in
                (0..<(3 - index)).map { number in
                    """
                    {"conversation_id":"c\(index)-\(number)","user_id":"\(user)","question":"q","response":"r"}

                    """
                }
            }.joined()
            #expect(try HTTPClient(daemon.http).postEvents(Array(saves.utf8), query: "?ack=committed").status == 200)
            func dashboard() throws -> [String] {
                let answer = try HTTPClient(daemon.http).request("GET", "/api/v1/stats-fast/dashboard")
                #expect(answer.status == 200, "\(answer.text)")
                let billing = try JSONDecoder().decode(DashboardAnswer<User>.self, from: Data(answer.body))
                    .billing_stats
                return [billing.identity]
                    + billing.top_users.map { user in
                        "\(user.email)|\(user.first_name)|\(user.last_name)|\(user.plan)|\(user.question_count)"
                    }
            }
            func unknown(_ index: Int) -> String { "\(Self.users[index])|||free|\(3 - index)" }
            let before = try dashboard()
            #expect(before == ["unavailable", unknown(0), unknown(1), unknown(2)])

            let sql = try Self.sql()
            #expect(sql.isSuccess, "\(sql.errors)")
            for _ in 0..<2 { try owner.execute(sql.output) }
            try owner.execute("RESET ROLE; ALTER ROLE millrace_identity LOGIN; SET ROLE millrace")
            #expect(
                try dashboard() == ["available", "ada@example.com|Ada|Lovelace|pro|3", unknown(1), unknown(2)])

            try owner.execute(
                """
                INSERT INTO auth.users (id, email) VALUES ('\(Self.users[1])', 'grace@example.com');
                INSERT INTO auth.users (id, email) VALUES ('\(Self.users[2])', 'linus@example.com');
                UPDATE auth.users SET raw_user_meta_data = '{"first_name": "Grace", "last_name": "Hopper", "plan": "stolen"}'
                WHERE email = 'grace@example.com';
                UPDATE auth.users SET email = 'countess@example.com', raw_app_meta_data = '{"plan": "team"}'
                WHERE email = 'ada@example.com';
                DELETE FROM auth.users WHERE email = 'linus@example.com'
                """)
            #expect(
                try dashboard() == [
                    "available", "countess@example.com|Ada|Lovelace|team|3", "grace@example.com|Grace|Hopper|free|2",
                    unknown(2),
                ])
            #expect(
                try owner.execute("SELECT bool_or(email_verified) AND NOT bool_and(email_verified) FROM public.users")
                    .bool(0, 0) == true)
            #expect(
                try owner.execute("SELECT count(*) FROM pg_trigger WHERE tgname = 'on_auth_user_created'").int(0, 0)
                    == 1)

            try Self.checkRowSecurity(owner)
            #expect(try dashboard().last == unknown(2) && dashboard()[2] == "grace@example.com|Amazing|Hopper|free|2")
            try Self.checkDaemonRole(role)

            let down = try Self.sql("--down")
            try owner.execute("RESET ROLE; " + down.output)
            #expect(try owner.execute("SELECT count(*) FROM public.users").int(0, 0) == 2)
            #expect(
                try owner.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'on_auth_user%'").int(0, 0) == 0)
            #expect(try dashboard().first == "unavailable")
            #expect(try daemon.stop() == .status(0))
        }

        private static func checkRowSecurity(_ owner: PostgresConnection) throws {
            func sees(_ role: String, _ user: String) throws -> [String] {
                try owner.execute(
                    "SET ROLE \(role); SET request.jwt.claims = '{\"sub\": \"\(user)\"}'")
                let rows = try owner.execute("SELECT email FROM public.users")
                return (0..<rows.rowCount).compactMap { rows.string($0, 0) }
            }
            #expect(try sees("authenticated", users[0]) == ["countess@example.com"])
            #expect(try sees("authenticated", users[1]) == ["grace@example.com"])
            #expect(try sees("authenticated", users[2]) == [])
            #expect(try sees("authenticated", users[1]) == ["grace@example.com"])
            #expect(try owner.execute("UPDATE public.users SET first_name = 'Amazing'").affectedRows == 1)
            for statement in [
                "UPDATE public.users SET plan = 'pro'", "UPDATE public.users SET id = gen_random_uuid()",
                "DELETE FROM public.users", "INSERT INTO public.users (id) VALUES (gen_random_uuid())",
                "SELECT encrypted_password FROM auth.users",
            ] {
                #expect(throws: PostgresError.self, "\(statement)") { try owner.execute(statement) }
            }
            #expect(throws: PostgresError.self) { try sees("anon", users[1]) }
            try owner.execute("SET ROLE millrace")
            let rows = try owner.execute("SELECT first_name FROM public.users ORDER BY email")
            #expect((0..<rows.rowCount).compactMap { rows.string($0, 0) } == ["Ada", "Amazing"])
        }

        /// What the dashboard reads, and nothing else.
        private static func checkDaemonRole(_ connectionString: String) throws {
            let daemon = try PostgresConnection(
                connectionString: connectionString, applicationName: "test", connectTimeout: .seconds(30),
                interrupt: PostgresInterrupt())
            try daemon.execute("SET row_security = on")
            #expect(
                try daemon.execute("SELECT id, email, first_name, last_name, plan FROM public.users").rowCount == 2)
            for statement in [
                "SELECT email_verified FROM public.users", "SELECT * FROM public.users", "SELECT 1 FROM auth.users",
                "UPDATE public.users SET plan = 'pro'", "DELETE FROM public.users",
                "INSERT INTO public.users (id) VALUES (gen_random_uuid())", "CREATE TABLE public.mine (id integer)",
                "SELECT public.keep_user()",
            ] {
                #expect(throws: PostgresError.self, "\(statement)") { try daemon.execute(statement) }
            }
        }

        @Test func `in a database that signs nobody in, the SQL does nothing and says where it belongs`() throws {
            let database = try TestCluster.shared.database("no sign-in", isMigrated: false)
            let sql = try Self.sql().output
            let connection = try database.connect()
            let refusal = try #require(throws: PostgresError.self) { try connection.execute(sql) }
            #expect(refusal.message.contains("no auth.users"))
            #expect(
                try database.connect().execute("SELECT to_regclass('public.users') IS NULL").bool(0, 0) == true)
        }
    }
}
