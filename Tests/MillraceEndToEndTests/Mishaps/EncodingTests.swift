import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct EncodingTests {
        @Test func `a database that is not UTF-8 is refused by migrate and start, and told by a daemon that runs`()
            throws
        {
            let cluster = try TestCluster.shared
            let name = "sql_ascii"
            let url = cluster.cluster.connectionString(role: "millrace", database: name)
            let daemon = try DaemonProcess(
                databaseURL: url, settings: ["database.stall_after": "\"500ms\"", "database.retry_max": "\"200ms\""])
            // No such database yet: events are taken.
            try daemon.start()
            let http = HTTPClient(daemon.http)
            #expect(try http.postEvents(Array(#"{"event_type":"caf\u00e9","payload":{}}"#.utf8)).status == 202)
            try cluster.superuser().execute(
                "CREATE DATABASE \(name) OWNER millrace TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
                timeout: .seconds(60))
            let isTold = eventually {
                (try? Readiness.of(daemon)).map { !$0.writing && $0.reason?.contains("SQL_ASCII") == true } ?? false
            }
            #expect(isTold, "\(daemon.log)")
            let migration = try daemon.run("migrate", "up")
            #expect(!migration.isSuccess && migration.errors.contains("events are UTF-8"), "\(migration.errors)")
            let second = try DaemonProcess(databaseURL: url)
            try second.launch()
            #expect(try second.process.waitForExit(within: .seconds(20)) == .status(1))
            #expect(second.log.contains("createdb -E UTF8"), "\(second.log)")

            // The right database in its place: what was taken goes in.
            // Between two tries of the daemon's sessions.
            let isAway = eventually {
                (try? cluster.superuser().execute("ALTER DATABASE \(name) RENAME TO sql_ascii_away")) != nil
            }
            #expect(isAway)
            try cluster.superuser().execute(
                "CREATE DATABASE \(name) OWNER millrace TEMPLATE template0", timeout: .seconds(60))
            #expect(try daemon.run("migrate", "up").isSuccess)
            #expect(
                eventually { (try? Readiness.of(daemon)) == Readiness(status: 200, writing: true) }, "\(daemon.log)")
            let connection = try PostgresConnection(
                connectionString: url, applicationName: "test", connectTimeout: .seconds(30),
                interrupt: PostgresInterrupt())
            #expect(
                eventually {
                    (try? connection.execute("SELECT event_type FROM public.analytics_events").string(0, 0)) == "café"
                })
            #expect(try daemon.run("verify").isSuccess)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
