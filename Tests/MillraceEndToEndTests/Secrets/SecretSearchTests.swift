import FoundationEssentials
import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Each secret is a word that is nowhere else; then all that can be read is read.
    struct SecretSearchTests {
        private static let levels = ["trace", "debug", "info", "notice", "warning", "error"]
        private static let pages = [
            "/livez", "/readyz", "/metrics", "/debug/latency", "/debug/nothing", "/openapi.json", "/", "/nothing",
            "/v1/packs", "/v1/events?type=a.b", "/v1/conversations", "/v1/counts/analytics/events_by_hour",
            "/api/v1/stats-fast/health", "/api/v1/stats-fast/dashboard",
        ]

        /// A daemon with every secret that there is, what clients sent it, and where it was looked for.
        private final class Scene {
            let cluster: TestCluster
            let database: TestDatabase
            let daemon: DaemonProcess
            private let scratch: ScratchDirectory
            private(set) var search: SecretSearch
            /// Planted where it must be found.
            let planted = SecretSearch.word("planted")
            private let environment: [String: String]
            private let https: Endpoint
            /// Its files go with it.
            private let authority: TestAuthority

            init(level: String, format: String) throws {
                cluster = try TestCluster.own
                database = try cluster.database(hasPacks: true)
                scratch = try ScratchDirectory()
                let markers = Dictionary(
                    uniqueKeysWithValues: [
                        "database", "reading", "identity", "cursor", "jwt", "jwtfile", "badtoken", "basic", "greeting",
                        "query", "cookie", "payload",
                    ].map { ($0, SecretSearch.word($0)) })
                search = SecretSearch(markers)
                // Statements go to the server's log.
                try cluster.superuser().execute("ALTER DATABASE \(database.name) SET log_statement = 'all'")
                let connectionString = database.connectionString
                let url = { (what: String) in connectionString + " password='\(markers[what] ?? "")'" }
                let long = { (what: String) in String(repeating: markers[what] ?? "", count: 3) }
                try TextFile.write(long("jwtfile"), to: scratch.path + "/jwt-file")
                try TextFile.write(long("cursor"), to: scratch.path + "/millrace.api.cursor_key")
                environment = [
                    "DATABASE_URL": url("database"), "MILLRACE_API_READ_URL": url("reading"),
                    "CREDENTIALS_DIRECTORY": scratch.path,
                ]
                authority = try TestAuthority()
                let pair = try authority.sign()
                https = try .free()
                let http = Endpoint.unix(scratch.path + "/http.sock")
                // The first line of the key itself.
                let line = TextFile.read(pair.key).split(separator: "\n").dropFirst().first
                search.add(marker: String(line ?? ""), of: "the certificate's key")
                daemon = try DaemonProcess(
                    databaseURL: nil,
                    settings: [
                        "log.level": DaemonSettings.quoted(level), "log.format": DaemonSettings.quoted(format),
                        "http.hosts": "[\"\(planted)\"]", "identity.url": DaemonSettings.quoted(url("identity")),
                        "jwt.secret": DaemonSettings.quoted(long("jwt")), "http.listen": "[\"\(http)\", \"\(https)\"]",
                        "http.tls": "true", "tls.certificate": DaemonSettings.quoted(pair.certificate),
                        "tls.key": DaemonSettings.quoted(pair.key), "auth.failure_delay": "\"0s\"",
                    ], environment: environment, http: http, scratch: scratch)
                let key = """

                    [[jwt.keys]]
                    id = "one"
                    algorithm = "HS256"
                    secret_file = "jwt-file"

                    """
                try TextFile.write(TextFile.read(daemon.configuration) + key, to: daemon.configuration)
            }

            func run() throws {
                try daemon.start()
                try daemon.waitUntil("/readyz")
                try speakHTTP([])
                try speakTCP("")
                let key = try makeKey()
                try speakHTTP([("Authorization", "Bearer \(key)")])
                // A letter of it is wrong.
                try speakHTTP([("Authorization", "Bearer \(key.dropLast())\(key.hasSuffix("0") ? "1" : "0")")])
                try speakTCP(key)
                try speakTLS()
                try lookAtDatabase()
                try lookAtProcesses()
                try runCommands(key)
                #expect(try daemon.stop() == .status(0))
                search.add(daemon.log, as: "log")
                // Events are there, keys are not.
                let secret = search.markers["the key"] ?? ""
                for name in (try? FileManager.default.subpathsOfDirectory(atPath: daemon.directory + "/spool")) ?? [] {
                    #expect(!TextFile.read("\(daemon.directory)/spool/\(name)").contains(secret), "\(name)")
                }
                let directory = cluster.cluster.directory
                for file in (try? FileManager.default.subpathsOfDirectory(atPath: directory)) ?? []
                where file.hasSuffix(".log") {
                    search.add(TextFile.read("\(directory)/\(file)"), as: "server log")
                }
            }

            private func word(_ what: String) -> String { search.markers[what] ?? "" }

            /// Whose secret is another word that is to be seen nowhere; from then on everybody wants one.
            private func makeKey() throws -> String {
                let run = try daemon.run(["keys", "create", "--scope", "admin", "--json"], environment: environment)
                let key = try run.report(MadeKey.self)
                let text = key.key ?? ""
                #expect(run.isSuccess && text.count > 40, "\(run.errors)")
                search.add(marker: String(text.dropFirst(18).prefix(24)), of: "the key")
                search.add(run.errors, as: "millrace keys create, standard error")
                #expect(eventually { (try? HTTPClient(daemon.http).request("GET", "/v1/packs").status) == 401 })
                return text
            }

            private func speakTLS() throws {
                let name = scratch.path + "/curl"
                for (scheme, path) in [("https", "metrics"), ("https", "nothing"), ("http", "livez")] {
                    let curl = try SpawnedProcess(
                        "/usr/bin/curl", ["--silent", "--insecure", "--include", "\(scheme)://\(https)/\(path)"],
                        mark: "\(https)", output: name, errors: name)
                    try curl.waitForExit(within: .seconds(30))
                }
                search.add(TextFile.read(name), as: "answers over TLS")
            }

            private func speakHTTP(_ more: [(String, String)]) throws {
                let basic = Data("\(word("basic")):".utf8).base64EncodedString()
                let tokens = [
                    [(String, String)](), [("Authorization", "Bearer \(word("badtoken"))")],
                    [("Authorization", "Bearer mr_w_0123456789ab_\(word("badtoken"))")],
                    [("Authorization", "Basic \(basic)")], [("Authorization", word("badtoken"))],
                    [("Cookie", "session=\(word("cookie"))"), ("X-Api-Key", word("badtoken"))],
                    [BearerToken(subject: "u", secret: String(repeating: word("jwt"), count: 3)).header],
                ]
                for headers in more.isEmpty ? tokens : [more] {
                    for page in SecretSearchTests.pages {
                        try add(try get("GET", page, headers), page)
                    }
                    for path in ["/v1/events", "/v1/events?ack=committed&key=\(word("query"))"] {
                        for body in [
                            #"{"event_type":"c.d","payload":{"p":"\#(word("payload"))"}}"#,
                            #"{"event_type":"","payload":{"p":"\#(word("payload"))"}}"#,
                            #"{"event_type":"a.b","payload":"\#(word("payload"))"#,
                            #"[{"event_type":"a","user_id":"nobody","payload":{"p":"\#(word("payload"))"}}]"#,
                        ] {
                            try add(
                                try get(
                                    "POST", path, headers + [("Content-Type", "application/json")], Array(body.utf8)),
                                "POST \(path.prefix(10))")
                        }
                    }
                    try add(
                        try get("GET", "/v1/packs?access_token=\(word("query"))&cursor=\(word("query"))", headers),
                        "a wrong query")
                }
            }

            private func get(
                _ method: String, _ path: String, _ headers: [(String, String)], _ body: [UInt8]? = nil
            ) throws -> HTTPResponse {
                try HTTPClient(daemon.http).request(method, path, headers: headers, body: body)
            }

            private func add(_ response: HTTPResponse, _ place: String) throws {
                search.add(response.text + "\n\(response.headers)", as: place)
            }

            private func speakTCP(_ key: String) throws {
                for line in [
                    #"{"hello":{"acks":"spooled","key":"\#(key)"}}"#, #"{"hello":{"acks":"spooled","key":"\#(key)x"}}"#,
                    #"{"hello":{"acks":"spooled","key":"\#(word("greeting"))"}}"#,
                    #"{"hello":{"acks":"\#(word("greeting"))"}}"#, #"{"hello":"\#(word("greeting"))"#,
                ] {
                    let socket = try StreamSocket(daemon.tcp)
                    try socket.send(
                        Array("\(line)\n{\"event_type\":\"c.d\",\"payload\":{\"p\":\"\(word("payload"))\"}}\n".utf8))
                    socket.finishSending()
                    while let answer = try socket.line(within: .seconds(20)) {
                        search.add(answer, as: "answers of TCP")
                    }
                }
            }

            private func lookAtDatabase() throws {
                let connection = try PostgresConnection(
                    connectionString: cluster.cluster.connectionString(role: "postgres", database: database.name),
                    applicationName: planted, connectTimeout: .seconds(30), interrupt: PostgresInterrupt())
                try connection.execute(
                    """
                    INSERT INTO public.audit_log (actor, actor_kind, origin, action, object)
                    VALUES ('test', 'system', 'test', 'test.planted', '\(planted)')
                    """)
                for (place, query) in [
                    ("pg_stat_activity", "SELECT string_agg(a::text, ' ') FROM pg_stat_activity AS a"),
                    ("audit_log", "SELECT string_agg(a::text, ' ') FROM public.audit_log AS a"),
                ] {
                    search.add(try connection.execute(query).string(0, 0) ?? "", as: place)
                }
            }

            /// The arguments of the daemon and of what it has started.
            private func lookAtProcesses() throws {
                var pids = [try daemon.process.pid]
                while let pid = pids.popLast() {
                    let arguments = TextFile.read("/proc/\(pid)/cmdline").replacing("\0", with: " ")
                    search.add(arguments, as: "arguments of processes")
                    pids += TextFile.read("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap {
                        pid_t($0)
                    }
                }
            }

            private func runCommands(_ key: String) throws {
                let environment = environment.merging(["MILLRACE_KEY": key]) { $1 }
                for command in [
                    ["check"], ["check", "--all"], ["check", "--json"], ["status"], ["status", "--json"], ["latency"],
                    ["verify"], ["audit"], ["audit", "--json"], ["migrate", "status"],
                    ["dead-letters", "retry", "--all"],
                    ["projections", "list"], ["partitions", "list"], ["keys", "list", "--all"],
                    ["keys", "list", "--all", "--json"], ["tenants", "list"],
                ] {
                    let run = try daemon.run(command, environment: environment)
                    search.add(run.output + run.errors, as: "millrace \(command.joined(separator: " "))")
                }
            }
        }

        @Test(arguments: Self.levels) func `no secret is to be seen, at any level of the log`(level: String) throws {
            let format = level.count.isMultiple(of: 2) ? "json" : "text"
            let scene = try Scene(level: level, format: format)
            try scene.run()
            scene.search.expectNothing()
            // And the search finds what is there.
            let found = scene.search.places(of: scene.planted)
            for place in [
                "pg_stat_activity", "audit_log", "server log", "millrace check", "millrace check --json",
                "millrace audit",
                "millrace audit --json",
            ] {
                #expect(found.contains(place), "\(place): \(found)")
            }
            #expect(scene.search.places["/metrics"]?.contains("millrace_") == true)
            #expect(scene.search.places["arguments of processes"]?.contains("serve") == true)
            if level == "trace" { #expect((scene.search.places["log"] ?? "").count > 1000) }
        }
    }
}
