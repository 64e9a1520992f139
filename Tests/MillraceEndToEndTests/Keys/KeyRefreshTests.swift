import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// How the daemon learns of keys, and what it goes by while nobody tells it.
    struct KeyRefreshTests {
        /// What is promised of a revocation.
        private static let limit = Duration.seconds(5)

        private func inForce(_ daemon: DaemonProcess) -> Int {
            (try? daemon.metrics())?.count("millrace_access_keys_in_force") ?? -1
        }

        private func file(_ daemon: DaemonProcess) -> String { daemon.directory + "/spool/keys.json" }

        @Test
        func
            `keys that are made, rotated and revoked are so on every daemon of the database, within seconds`()
            throws
        {
            let installation = try Installation("keyRefresh")
            let other = try DaemonProcess(databaseURL: installation.database.connectionString)
            let daemons = [installation.daemon, other]
            for daemon in daemons {
                try daemon.start()
                #expect(inForce(daemon) == 0)
            }
            func expect(_ count: Int) {
                for daemon in daemons {
                    #expect(eventually(within: Self.limit) { inForce(daemon) == count })
                }
            }
            let key = try MadeKey.create(on: other, "--scope", "write")
            expect(1)
            let next = try other.run("keys", "rotate", key.id, "--json").report(MadeKey.self)
            expect(2)
            #expect(try other.run("keys", "revoke", key.id).isSuccess)
            expect(1)
            #expect(try other.run("keys", "revoke", next.id).isSuccess)
            expect(0)
            for daemon in daemons {
                #expect(daemon.log.contains("keys are wanted of everyone from now on"))
                #expect(!daemon.log.contains(try #require(key.key)))
                #expect(try daemon.stop() == .status(0))
            }
        }

        @Test func `a key expires by itself, while PostgreSQL is away too`() throws {
            let installation = try Installation("keyExpiry", cluster: try TestCluster(isDurable: false))
            let daemon = installation.daemon
            try daemon.start()
            _ = try MadeKey.create(on: daemon, "--scope", "write", "--expires", "10s")
            #expect(eventually(within: Self.limit) { inForce(daemon) == 1 })
            try installation.cluster.stopImmediately()
            #expect(eventually { inForce(daemon) == 0 })
            #expect(eventually { daemon.log.contains("keys not read") })
            #expect(try daemon.stop() == .status(0))
        }

        @Test
        func `a restart while PostgreSQL is away knows the same keys, by a file that has no secret`()
            throws
        {
            let installation = try Installation("keyRestart", cluster: try TestCluster(isDurable: false))
            let daemon = installation.daemon
            try daemon.start()
            let key = try MadeKey.create(on: daemon, "--scope", "write")
            let revoked = try MadeKey.create(on: daemon, "--scope", "write")
            #expect(eventually(within: Self.limit) { inForce(daemon) == 2 })
            #expect(try daemon.run("keys", "revoke", revoked.id).isSuccess)
            #expect(eventually(within: Self.limit) { inForce(daemon) == 1 })
            #expect(
                eventually {
                    let text = TextFile.read(file(daemon))
                    return text.contains(key.id) && !text.contains(revoked.id)
                })
            #expect(try !TextFile.read(file(daemon)).contains(#require(key.key).dropFirst(18).prefix(43)))
            #expect(FileStatus(file(daemon))?.permissions == 0o600)
            try installation.cluster.stop()
            try daemon.kill()
            try daemon.start()
            #expect(inForce(daemon) == 1)
            try installation.cluster.start()
            #expect(eventually { daemon.log.contains("keys read again") })
            #expect(inForce(daemon) == 1)
            #expect(try (daemon.metrics().count("millrace_access_key_refresh_failures_total") ?? 0) > 0)
            #expect(try daemon.stop() == .status(0))
        }

        @Test(arguments: ["damaged", "0644", "another database"])
        func `a key file that can't be trusted is told and ignored, and written anew`(flaw: String)
            throws
        {
            let installation = try Installation("keyFile", cluster: try TestCluster(isDurable: false))
            let daemon = installation.daemon
            _ = try MadeKey.create(on: daemon, "--scope", "write")
            try daemon.start()
            #expect(eventually { TextFile.read(file(daemon)).contains("true") })
            try daemon.kill()
            try installation.cluster.stopImmediately()
            switch flaw {
            case "damaged":
                try TextFile.write(
                    TextFile.read(file(daemon)).replacing("true", with: "tru3"), to: file(daemon))
            case "0644": chmod(file(daemon), 0o644)
            default:
                let url = installation.database.connectionString
                let settings = TextFile.read(daemon.configuration)
                #expect(settings.contains(url))
                try TextFile.write(
                    settings.replacing(url, with: url + " application_name=x"), to: daemon.configuration)
            }
            try daemon.start()
            #expect(daemon.log.contains("key file ignored"))
            #expect(inForce(daemon) == 0)
            try installation.cluster.start()
            #expect(eventually { inForce(daemon) == 1 && daemon.log.contains("keys read again") })
            try daemon.kill()
            try daemon.start()
            #expect(inForce(daemon) == 1)
            #expect(daemon.log.split(separator: "\n").count { $0.contains("key file ignored") } == 1)
            #expect(FileStatus(file(daemon))?.permissions == 0o600)
            #expect(try daemon.stop() == .status(0))
        }

        @Test
        func
            `10,000 keys are known within seconds, one more is told, and all are revoked within seconds`()
            throws
        {
            let installation = try Installation("manyKeys")
            let daemon = installation.daemon
            let connection = try installation.database.connect()
            try connection.execute(
                """
                INSERT INTO access_keys (id, name, scopes, secret_hash)
                SELECT lpad(n::text, 12, '0'), 'n', '{write}', sha256(n::text::bytea) FROM generate_series(1, 10000) AS n
                """)
            try daemon.start()
            #expect(inForce(daemon) == 10_000)
            #expect(!daemon.log.contains("too many keys"))
            try connection.execute(
                "INSERT INTO access_keys (id, name, scopes, secret_hash) VALUES ('zzzzzzzzzzzz', '', '{read}', sha256('x'))"
            )
            #expect(eventually(within: Self.limit) { daemon.log.contains("too many keys") })
            #expect(inForce(daemon) == 10_000)
            #expect(try daemon.run("check").output.contains("FAIL  keys: 10,000 in force"))
            try connection.execute("UPDATE access_keys SET revoked_at = now()")
            #expect(eventually(within: Self.limit) { inForce(daemon) == 0 })
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a role that may not read the keys is told the GRANT`() throws {
            let installation = try Installation("keyRights")
            let daemon = installation.daemon
            try installation.database.connect().execute(
                "REVOKE ALL ON access_keys, access_keys_state FROM CURRENT_USER")
            try daemon.start()
            #expect(daemon.log.contains("keys not read"))
            #expect(try daemon.run("check").output.contains("GRANT SELECT ON public.access_keys"))
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `auth.required before there is a key says how to make one`() throws {
            let installation = try Installation("keysRequired", settings: ["auth.required": "true"])
            let daemon = installation.daemon
            try daemon.start()
            #expect(daemon.log.contains("nobody gets in") && daemon.log.contains("millrace keys create"))
            #expect(try daemon.run("check").output.contains("warn  keys: none in force"))
            _ = try MadeKey.create(on: daemon, "--scope", "write")
            #expect(eventually(within: Self.limit) { inForce(daemon) == 1 })
            #expect(try daemon.run("check").output.contains("ok    keys: 1 in force"))
            #expect(try daemon.stop() == .status(0))
        }
    }

    /// What listens beyond loopback.
    struct RemoteListenerTests {
        @Test
        func `plain text beyond loopback is refused with both settings named, unless a proxy ends TLS`()
            throws
        {
            let port = try Endpoint.freePort()
            let installation = try Installation(
                "remoteListener", settings: ["http.listen": "[\"0.0.0.0:\(port)\"]"])
            let daemon = installation.daemon
            let refused = try daemon.run("serve")
            #expect(refused.exit == .status(2))
            #expect(
                refused.errors.contains("http.tls = true")
                    && refused.errors.contains("millrace keys create"))
            let check = try daemon.run("check")
            #expect(check.exit == .status(1) && check.output.contains("http.tls = true"))

            let scratch = try ScratchDirectory()
            let process = try SpawnedProcess(
                MillraceBinary.path, ["serve", "--insecure-plaintext", "--config", daemon.configuration],
                mark: daemon.configuration, output: "\(scratch.path)/out", errors: "\(scratch.path)/log")
            let here = Endpoint.port(port)
            #expect(
                eventually(within: .seconds(30)) { (try? HTTPClient.get("/livez", at: here).status) == 200 }
            )
            let log = TextFile.read("\(scratch.path)/log")
            #expect(log.contains("listening without TLS") && log.contains("0.0.0.0:\(port)"))
            #expect(log.contains("nobody gets in"), "keys are wanted all the same, before one is made")
            #expect(
                try daemon.run("keys", "create", "--scope", "write").isSuccess,
                "commands that don't listen don't mind")
            let loud = try daemon.run("check", "--set", "auth.plaintext_behind_proxy=true")
            #expect(loud.output.contains("warn  listeners: 0.0.0.0:\(port) WITHOUT TLS"))
            process.signal(SIGTERM)
            #expect(try process.waitForExit(within: .seconds(30)) == .status(0))
        }
    }
}
