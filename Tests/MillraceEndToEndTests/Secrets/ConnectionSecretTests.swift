import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ConnectionSecretTests {
        /// Connection strings whose password is made of "hunter" and "zwei", as people write them, well and badly.
        private static let spellings = [
            #"host=127.0.0.1 port=1 user=u password=hunter\ zwei"#,
            #"host=127.0.0.1 port=1 user=u password = 'hunter \' zwei'"#,
            "host=127.0.0.1 port=1 user=u password\t=\thunterzwei",
            "host=127.0.0.1 port=1 user=u password\n=\nhunterzwei",
            "host=127.0.0.1 port=1 user=u password=hunter zwei",
            "host=127.0.0.1 port=1 user=u password='hunter zwei",
            "host=127.0.0.1 port=1 user=u passwort=hunterzwei",
            "host=127.0.0.1 port=1 user=u password=hunter password=zwei",
            "host=127.0.0.1 port=1 user=u sslpassword=hunterzwei",
            "host=127.0.0.1 port=1 user=u PASSWORD=hunterzwei",
            "host=127.0.0.1 port=1 user=u dbname=postgresql://u:hunterzwei@h/d",
            "postgresql://u:hunterzwei@127.0.0.1:1/d",
            "postgresql://u:hunter@zwei@127.0.0.1:1/d",
            "postgresql://u:hunter/zwei@127.0.0.1:1/d",
            "postgresql://u:hunter?zwei@127.0.0.1:1/d",
            "postgresql://u:hunter?user=zwei@127.0.0.1:1/d",
            "postgresql://u:hunter%zwei@127.0.0.1:1/d",
            "postgresql://u:hunter#zwei@127.0.0.1:1/d",
            "postgresql://u:hunter:zwei@127.0.0.1:1/d",
            "postgresql://u:hunter zwei@127.0.0.1:1/d",
            "postgresql://u:[hunter]zwei@127.0.0.1:1/d",
            "postgresql://hunter@zwei@127.0.0.1:1/d",
            "postgresql://u:@hunterzwei@127.0.0.1:1/d",
            "postgresql://u:hunterzwei@[127.0.0.1:1/d",
            "postgresql://127.0.0.1:1/d?pass%77ord=hunterzwei",
            "postgresql://127.0.0.1:1/d?user=u&password=hunter%20zwei",
            "postgresql://127.0.0.1:1/d?user=u&password=hunter=zwei",
            "postgresql://127.0.0.1:1/d?user=u&sslpassword=hunterzwei",
            "postgresql://127.0.0.1:1/d?user=u&passwd=hunterzwei",
            "Postgresql://u:hunterzwei@127.0.0.1:1/d",
            "mysql://u:hunterzwei@127.0.0.1:1/d",
            "u:hunterzwei@127.0.0.1:1/d",
            "hunterzwei",
        ]

        private func expectNoSecret(_ text: String, _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
            for part in ["hunter", "zwei"] {
                #expect(!text.contains(part), "\(what): \(text.suffix(3000))", sourceLocation: sourceLocation)
            }
        }

        @Test func `no spelling of a password is shown by any command`() throws {
            for spelling in Self.spellings {
                let daemon = try DaemonProcess(databaseURL: nil, settings: ["log.level": "\"debug\""])
                for command in [
                    ["check", "--all"], ["check", "--json", "--all"], ["migrate", "up"], ["status"], ["verify"],
                ] {
                    let run = try daemon.run(command, environment: ["DATABASE_URL": spelling])
                    #expect(!run.isSuccess)
                    expectNoSecret(run.output + run.errors, "\(command) of \(spelling)")
                }
            }
        }

        @Test func `no spelling of a password is in the daemon's log or on its pages`() throws {
            for spelling in Self.spellings {
                let daemon = try DaemonProcess(
                    databaseURL: nil, settings: ["log.level": "\"trace\"", "database.stall_after": "\"100ms\""],
                    environment: [
                        "MILLRACE_DATABASE_URL": spelling, "MILLRACE_API_READ_URL": spelling,
                        "MILLRACE_IDENTITY_URL": spelling, "MILLRACE_API_CURSOR_KEY": "hunterzweihunterzwei",
                    ])
                try daemon.launch()
                let isTold = eventually {
                    daemon.log.contains("the connection string cannot be parsed")
                        || daemon.log.contains("connection_failed")
                }
                #expect(isTold, "\(spelling): \(daemon.log.suffix(2000))")
                if daemon.log.contains("cannot be parsed") {
                    #expect(try daemon.process.waitForExit(within: .seconds(20)) == .status(2))
                } else {
                    try daemon.waitUntil("/livez")
                    let client = HTTPClient(daemon.http)
                    _ = try client.postEvents(Array(#"{"event_type":"a"}"#.utf8), type: "application/json")
                    for page in [
                        "/readyz", "/v1/events", "/metrics", "/api/v1/stats-fast/health",
                        "/api/v1/stats-fast/dashboard",
                    ] {
                        expectNoSecret(try client.request("GET", page).text, "\(page) of \(spelling)")
                    }
                    try daemon.kill()
                }
                expectNoSecret(daemon.log, "the log of \(spelling)")
            }
        }

        @Test func `no key of tokens is in the log, at any level`() throws {
            let scratch = try ScratchDirectory()
            try TextFile.write("hunterzwei-hunterzwei-hunterzwei-hunterzwei", to: scratch.path + "/key")
            let daemon = try DaemonProcess(
                databaseURL: "host=127.0.0.1 port=1", settings: ["log.level": "\"trace\""],
                environment: [
                    "MILLRACE_JWT_SECRET_FILE": scratch.path + "/key",
                    "MILLRACE_API_CURSOR_KEY": "hunterzwei-hunterzwei",
                ])
            try daemon.start()
            #expect(try HTTPClient(daemon.http).request("GET", "/v1/events").status == 401)
            #expect(try daemon.stop() == .status(0))
            expectNoSecret(daemon.log, "the log")
        }

        @Test func `a raw @ in a password is refused at the start with how to write it`() throws {
            let daemon = try DaemonProcess(databaseURL: "postgresql://u:hunter@zwei@127.0.0.1:1/d")
            try daemon.launch()
            #expect(try daemon.process.waitForExit(within: .seconds(20)) == .status(2))
            for text in [daemon.log, try daemon.run("migrate", "status").errors, try daemon.run("check").output] {
                #expect(text.contains("%40") && text.contains("cannot be parsed"), "\(text)")
                expectNoSecret(text, "a raw @")
            }
        }

        @Test func `a URL that the environment has for others does not keep the embedded database from starting`()
            throws
        {
            let scratch = try ScratchDirectory()
            let daemon = try DaemonProcess(
                databaseURL: nil, arguments: ["--embedded", "--data-directory", scratch.path],
                environment: ["DATABASE_URL": "mysql://u:p@h/d"], scratch: scratch)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `URLs as other clients write them, and libpq's variables, lead to the database`() throws {
            let database = try TestCluster.shared.database()
            let options = Dictionary(
                uniqueKeysWithValues: database.connectionString.split(separator: " ").map { option in
                    let parts = option.split(separator: "=", maxSplits: 1)
                    return (String(parts[0]), parts[1].filter { $0 != "'" })
                })
            let (host, user) = (try #require(options["host"]), try #require(options["user"]))
            let daemon = try DaemonProcess(databaseURL: nil)
            for environment in [
                ["DATABASE_URL": "postgresql+asyncpg:///\(database.name)?host=\(host)&user=\(user)&schema=app"],
                ["DATABASE_URL": "postgresql+psycopg2://\(user)@/\(database.name)?host=\(host)&pool_timeout=3"],
                ["PGHOST": host, "PGDATABASE": database.name, "PGUSER": user],
            ] {
                let run = try daemon.run(["migrate", "status", "--json"], environment: environment)
                #expect(
                    run.output.contains("\"applied\"") && !run.output.contains("\"pending\""),
                    "\(environment): \(run.errors)")
            }
            let check = try daemon.run(
                ["check"],
                environment: ["DATABASE_URL": "postgresql:///\(database.name)?host=\(host)&user=\(user)&schema=app"])
            #expect(check.output.contains("without schema, which is for other clients"), "\(check.output)")
        }

        @Test(arguments: [
            "[database]\nurl = postgresql://u:hunterzwei@h/d\n",
            "[database]\nurl = [\"postgresql://u:hunterzwei@h/d\"]\n",
            "[database]\nurl = \"postgresql://u:hunterzwei@h/d\n",
            "[database]\nurl \"postgresql://u:hunterzwei@h/d\"\n",
            "[jwt]\nsecret = \"hunterzwei\"\n", "[api]\ncursor_key = \"hunterzwei\"\n",
        ])
        func `a configuration that is wrong does not show what is secret in it`(toml: String) throws {
            let scratch = try ScratchDirectory()
            try TextFile.write(toml, to: scratch.path + "/config.toml")
            for command in ["check", "serve"] {
                let run = try CommandRun(
                    [
                        command, "--config", scratch.path + "/config.toml", "--data-directory", scratch.path, "--set",
                        "http.listen=\(try Endpoint.free())", "--set", "tcp.listen=\(try Endpoint.free())",
                    ], in: scratch, within: .seconds(30))
                #expect(!run.isSuccess)
                expectNoSecret(run.output + run.errors, "\(command) of \(toml)")
            }
        }

        @Test func `a --set that is none is not repeated`() throws {
            let daemon = try DaemonProcess(databaseURL: nil)
            for assignment in Self.spellings {
                let run = try daemon.run(["check", "--set", assignment])
                #expect(!run.isSuccess)
                if assignment.contains("=") || assignment.contains("://") {
                    expectNoSecret(run.output + run.errors, "--set \(assignment)")
                }
            }
        }

        @Test func `an empty variable of the environment is none`() throws {
            let installation = try Installation()
            #expect(try installation.daemon.run("partitions", "ensure").isSuccess)
            let empty = [
                "DATABASE_URL", "DATABASE_URL_FILE", "MILLRACE_DATABASE_URL", "MILLRACE_TCP_LISTEN",
                "MILLRACE_DATABASE_WRITERS", "MILLRACE_CONFIG", "MILLRACE_NONSENSE", "STRICT_HEALTH_CHECKS",
                "PGSSLMODE",
                "PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGSERVICE", "PGOPTIONS",
                "PGCONNECT_TIMEOUT", "PGTARGETSESSIONATTRS", "PGCHANNELBINDING", "PGGSSENCMODE", "PGREQUIREPEER",
                "PGSSLMINPROTOCOLVERSION", "NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC", "JOURNAL_STREAM", "TMPDIR",
            ]
            let environment = Dictionary(uniqueKeysWithValues: empty.map { ($0, "") })
            let run = try installation.daemon.run(["migrate", "status"], environment: environment)
            #expect(run.isSuccess, "\(run.errors)")
            let daemon = try DaemonProcess(
                databaseURL: installation.database.connectionString, environment: environment)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let client = HTTPClient(daemon.http)
            #expect(
                try client.postEvents(
                    Array(#"{"event_type":"a"}"#.utf8), type: "application/json", query: "?ack=committed"
                ).status == 200)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
