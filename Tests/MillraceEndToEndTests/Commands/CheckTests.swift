import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct CheckTests {
        @Test func `check finds a good set-up good, and says what is in force`() throws {
            // A server without fsync is none for `check`.
            let installation = try Installation(cluster: TestCluster(isDurable: true))
            #expect(try installation.daemon.run("partitions", "ensure").isSuccess)
            let run = try installation.daemon.run("check")
            #expect(run.isSuccess, "\(run.output)\(run.errors)")
            #expect(run.output.contains("\(installation.daemon.tcp)"))
            #expect(run.output.contains(installation.daemon.configuration))
        }

        @Test func `check says what is broken and the fix`() throws {
            let daemon = try DaemonProcess(databaseURL: "host=127.0.0.1 port=1 user=nobody dbname=nothing")
            let run = try daemon.run("check")
            #expect(run.exit == .status(1))
            #expect((run.output + run.errors).contains("database.url"), "\(run.output)\(run.errors)")

            let blank = try TestCluster.shared.database("unmigrated", isMigrated: false)
            let pending = try DaemonProcess(databaseURL: blank.connectionString).run("check")
            #expect((pending.output + pending.errors).contains("migrate up"), "\(pending.output)\(pending.errors)")
        }

        /// Where nothing is read or written while a lock is held, all that may be busy is.
        @Test func `a busy daemon has the sessions that check names, and never more`() throws {
            let installation = try Installation(
                settings: [
                    "database.writers": "3", "database.join_rows": "1", "database.batch_rows": "1000",
                    "api.connections_max": "4",
                ])
            let daemon = installation.daemon
            let check = try daemon.run("check", "--json").output
            #expect(
                check.contains(
                    "up to 13 sessions (3 writers, the ledger, maintenance, the months, the outbox, the keys, erasures, 4 readers)"
                ))
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(DoorRequest.event)
            try client.waitForAck(1)

            let lock = try installation.database.connect()
            try lock.execute("BEGIN; LOCK TABLE public.analytics_events IN ACCESS EXCLUSIVE MODE")
            var readers: [StreamSocket] = []
            for _ in 0..<6 {
                let reader = try StreamSocket(daemon.http)
                try reader.send(Array("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
                readers.append(reader)
            }
            try client.send(Array(repeating: Array((DoorRequest.event + "\n").utf8), count: 5000).flatMap { $0 })
            var most = 0
            _ = try eventually {
                let count = try installation.auditor.integer(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'millrace %'
                    """)
                most = max(most, count)
                return most >= 10
            }
            // Months and erasures are seldom looked after.
            #expect((10...13).contains(most), "\(most) sessions")
            try lock.execute("ROLLBACK")
            try client.waitForAck(5001)
        }

        @Test func `what can't be reached for reading or for users is named with its key`() throws {
            let installation = try Installation(
                settings: [
                    "api.read_url": "\"host=127.0.0.1 port=1 dbname=nothing\"",
                    "identity.url": "\"host=127.0.0.1 port=1 dbname=nobody\"",
                ])
            let run = try installation.daemon.run("check")
            #expect(run.exit == .status(1))
            #expect(run.output.contains("FAIL  connections for reading: the database of api.read_url"), "\(run.output)")
            #expect(run.output.contains("FAIL  connections for users: the database of identity.url"), "\(run.output)")
        }

        @Test(
            arguments: [
                ("tcp.lisen", "[]", "listen"), ("spool.byte", "\"1GiB\"", "bytes"), ("datbase.url", "\"\"", "database"),
                ("database.writers", "\"two\"", "writers"), ("database.writers", "65", "64"),
                ("spool.retain", "\"fortnight\"", "retain"),
            ])
        func `a mistake in config.toml names file, line, key and what is wanted`(
            key: String, value: String, wanted: String
        ) throws {
            let daemon = try DaemonProcess(databaseURL: "dbname=nothing", settings: [key: value])
            let lines = TextFile.read(daemon.configuration).split(separator: "\n", omittingEmptySubsequences: false)
            let name = String(key.split(separator: ".").last ?? "")
            let section = String(key.split(separator: ".").first ?? "")
            for command in ["check", "serve"] {
                let run = try daemon.run([command], within: .seconds(20))
                let text = run.output + run.errors
                #expect(!run.isSuccess)
                let isNamed = lines.indices.contains { index in
                    (lines[index].hasPrefix(name + " ") || lines[index] == "[\(section)]")
                        && text.contains("\(daemon.configuration):\(index + 1)")
                }
                #expect(isNamed, "\(text)")
                #expect(text.contains(wanted), "\(text)")
            }
        }
    }
}
