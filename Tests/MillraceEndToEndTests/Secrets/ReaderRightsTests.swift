import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ReaderRightsTests {
        private static let packs = #"["analytics", "conversations", "workspaces", "commerce", "casework", "product"]"#
        private static let secrets = [
            ("public.dead_letters", "line"), ("projections.workspaces_users", "password_hash"),
            ("projections.commerce_users", "password_hash"), ("projections.casework_users", "password"),
        ]

        /// A database without tables, with the roles of sql/roles.sql.
        private func database(on cluster: TestCluster) throws -> TestDatabase {
            let database = try cluster.database(isMigrated: false)
            let scratch = try ScratchDirectory()
            let psql = try SpawnedProcess(
                "/usr/bin/psql",
                [
                    cluster.cluster.connectionString(role: "postgres", database: database.name), "--no-psqlrc",
                    "--quiet",
                    "--file", Repository.root + "/sql/roles.sql",
                ], mark: scratch.path, output: scratch.path + "/out", errors: scratch.path + "/errors")
            #expect(try psql.waitForExit(within: .seconds(30)) == .status(0))
            return database
        }

        private func expectRights(_ cluster: TestCluster, _ database: TestDatabase) throws {
            let reader = try PostgresConnection(
                connectionString: cluster.cluster.connectionString(role: "postgres", database: database.name),
                applicationName: "test reader", connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
            try reader.execute("SET row_security = on; SET ROLE millrace_reader")
            for (table, column) in Self.secrets {
                for statement in [
                    "SELECT \(column) FROM \(table)", "SELECT * FROM \(table)", "SELECT entry FROM \(table) AS entry",
                ] {
                    let error = #expect(throws: PostgresError.self, "\(statement)") { try reader.execute(statement) }
                    #expect(error?.sqlState == .insufficientPrivilege)
                }
                let others = try reader.query(
                    """
                    SELECT string_agg(quote_ident(attname), ', ')
                    FROM pg_attribute
                    WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attname <> $2
                    """, parameters: [.text(table), .text(column)])
                let list = others.string(0, 0)
                let columns = try #require(list)
                try reader.execute("SELECT \(columns) FROM \(table)")
            }
            for table in ["public.analytics_events", "public.conversations", "projections.commerce_orders"] {
                try reader.execute("SELECT * FROM \(table)")
            }
        }

        @Test
        func `millrace_reader reads neither refused lines nor passwords, after an install, an upgrade and a rebuild`()
            throws
        {
            let cluster = try TestCluster(isDurable: false)
            let database = try database(on: cluster)
            let daemon = try DaemonProcess(
                databaseURL: database.connectionString, settings: ["projections.packs": Self.packs])
            #expect(try daemon.run("migrate", "up").isSuccess)
            try expectRights(cluster, database)

            // A database of before has all of it granted.
            #expect(try daemon.run("migrate", "down").isSuccess)
            try database.connect().execute(
                """
                GRANT SELECT ON ALL TABLES IN SCHEMA public TO millrace_reader;
                GRANT SELECT ON ALL TABLES IN SCHEMA projections TO millrace_reader
                """)
            #expect(try daemon.run("migrate", "up").isSuccess)
            try expectRights(cluster, database)

            for pack in ["commerce", "casework", "product"] {
                let rebuild = try daemon.run("projections", "rebuild", pack)
                #expect(rebuild.isSuccess, "\(rebuild.errors)")
            }
            try expectRights(cluster, database)

            // Rights that were granted by hand, column by column, outlive a rebuild too.
            try database.connect().execute(
                "ALTER DEFAULT PRIVILEGES FOR ROLE millrace_writer REVOKE SELECT ON TABLES FROM millrace_reader")
            #expect(try daemon.run("projections", "rebuild", "commerce").isSuccess)
            try expectRights(cluster, database)
        }
    }
}
