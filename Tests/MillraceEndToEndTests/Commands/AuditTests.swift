import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct AuditTests {
        private struct Report: Decodable {
            struct Entry: Decodable {
                var id: Int
                var action: String
                var object: String
                var actor: String
                var actorKind: String
                var origin: String
            }

            var entries: [Entry]
        }

        private func entries(_ daemon: DaemonProcess, _ options: String...) throws -> [Report.Entry] {
            let run = try daemon.run(["audit", "--json"] + options)
            #expect(run.isSuccess, "\(run.errors)")
            return try run.report(Report.self).entries
        }

        private func record(_ object: String, on connection: PostgresConnection) throws(PostgresError) {
            try AuditLog.record(.keyCreate, object, on: connection)
        }

        @Test func `what administrators do is written down, without what events hold`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            let connection = try installation.database.connect()
            let first = try entries(daemon).last?.id ?? 0
            #expect(try daemon.run("partitions", "ensure", "--months", "30").isSuccess)
            #expect(try daemon.run("migrate", "seed", "analytics").isSuccess)
            #expect(try daemon.run("projections", "rebuild", "analytics").isSuccess)
            #expect(try daemon.run("migrate", "unseed", "analytics").isSuccess)
            try connection.execute(
                """
                INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, folded)
                SELECT '00000000-0000-7000-8000-000000000001', 1, 2, 1, 0, 0, 2, array_agg(id ORDER BY id)
                FROM projections.versions;
                INSERT INTO dead_letters (spool_id, sequence, kind, code, message, line, received_at, batch_id)
                SELECT '00000000-0000-7000-8000-000000000001', sequence, 'event', 'database', 'no',
                    '{"event_type":"dead.one","payload":{"marker":"hunterzwei"}}', now() - interval '1 minute', 1
                FROM generate_series(1, 2) AS sequence
                """)
            let letter = try connection.execute("SELECT min(id::text) FROM dead_letters").string(0, 0) ?? ""
            #expect(try daemon.run("dead-letters", "retry", "--id", letter).isSuccess)
            #expect(try daemon.run("dead-letters", "purge", "--older-than", "0s", "--yes").isSuccess)

            let made = try entries(daemon, "--limit", "10000").filter { $0.id > first }
            for action in [
                "partition.create", "seed.add", "projection.build", "projection.switch", "seed.remove",
                "dead_letters.retry", "dead_letters.purge",
            ] {
                #expect(made.contains { $0.action == action }, "\(action) of \(made)")
            }
            #expect(made.map(\.id) == made.map(\.id).sorted())
            #expect(made.allSatisfy { $0.actorKind == "system" && !$0.actor.isEmpty && $0.origin == HostName.current })
            #expect(!(try daemon.run("audit", "--limit", "10000").output.contains("hunterzwei")))
        }

        @Test func `the log is read page by page, by action and age, in a database that may not be written to`() throws
        {
            let installation = try Installation()
            let daemon = installation.daemon
            let connection = try installation.database.connect()
            for number in 1...5 {
                try connection.transaction { () throws(PostgresError) in try record("key\(number)", on: connection) }
            }
            try connection.execute(
                "ALTER DATABASE \(installation.database.name) SET default_transaction_read_only = on")
            let newest = try entries(daemon, "--action", "key.", "--limit", "2")
            #expect(newest.map(\.object) == ["key4", "key5"])
            let page = try entries(daemon, "--limit", "2", "--before", "\(newest[0].id)")
            #expect(page.map(\.object) == ["key2", "key3"])
            #expect(try entries(daemon, "--since", "0s").isEmpty)
            #expect(try entries(daemon, "--since", "1h", "--action", "key.create").count == 5)
            let text = try daemon.run("audit", "--limit", "1").output
            #expect(text.contains("  key.create  key5  by ") && text.contains("from \(HostName.current)"), "\(text)")
            #expect(try daemon.run("audit", "--follow", "--before", "3").exit == .status(2))
        }

        @Test func `a follower sees each act once, also one whose transaction ends late`() throws {
            let installation = try Installation()
            let (slow, fast) = (try installation.database.connect(), try installation.database.connect())
            let output = installation.daemon.directory + "/follow"
            // Begun before the follower, and before what is in the log when it starts.
            try slow.execute("BEGIN")
            try record("slow", on: slow)
            try fast.transaction { () throws(PostgresError) in try record("early", on: fast) }
            let follower = try SpawnedProcess(
                MillraceBinary.path,
                [
                    "audit", "--follow", "--json", "--limit", "1", "--action", "key.", "--config",
                    installation.daemon.configuration,
                ],
                mark: installation.daemon.configuration, output: output, errors: output + ".errors")
            func count(_ object: String) -> Int { TextFile.read(output).ranges(of: "\"\(object)\"").count }
            #expect(eventually { count("early") == 1 }, "\(TextFile.read(output + ".errors"))")
            try fast.transaction { () throws(PostgresError) in try record("during", on: fast) }
            #expect(eventually { count("during") == 1 })
            #expect(count("slow") == 0)
            try slow.execute("COMMIT")
            #expect(eventually { count("slow") == 1 })
            try fast.transaction { () throws(PostgresError) in try record("late", on: fast) }
            #expect(eventually { count("late") == 1 })
            #expect(["early", "during", "slow"].map(count) == [1, 1, 1] && follower.isRunning)
        }

        @Test func `without its table the command says what to do`() throws {
            let database = try TestCluster.shared.database(isMigrated: false)
            let daemon = try DaemonProcess(databaseURL: database.connectionString)
            let run = try daemon.run("audit")
            #expect(run.exit == .status(1) && run.errors.contains("millrace migrate up"), "\(run.errors)")
        }
    }
}
