import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Whom keys let in while they come and go.
    struct KeyLifetimeTests {
        /// What the issue promises of a revocation.
        private static let limit = Duration.seconds(5)

        private func inForce(_ daemon: DaemonProcess) -> Int {
            (try? daemon.metrics())?.count("millrace_access_keys_in_force") ?? -1
        }

        @Test
        func
            `the first key closes the door, a revocation ends it on two daemons and on an open connection`()
            throws
        {
            let installation = try Installation("keyRefresh")
            let daemon = installation.daemon
            let other = try DaemonProcess(databaseURL: installation.database.connectionString)
            for daemon in [daemon, other] {
                try daemon.start()
                #expect(daemon.status(key: nil) == 202, "no key was made yet")
            }
            let key = try MadeKey.create(on: daemon, "--scope", "write")
            let text = try #require(key.key)
            for daemon in [daemon, other] {
                #expect(eventually(within: Self.limit) { daemon.status(key: nil) == 401 })
                #expect(daemon.status(key: text) == 202)
            }
            let client = try TCPClient(daemon.tcp, acks: "spooled", key: text)
            try client.send(#"{"event_type":"key.tcp"}"#)
            try client.waitForAck(1)
            let kept = HTTPClient(other.http)
            #expect(try kept.status(key: text) == 202)

            #expect(try daemon.run("keys", "revoke", key.id).isSuccess)
            for daemon in [daemon, other] {
                #expect(eventually(within: Self.limit) { daemon.status(key: text) == 401 })
            }
            #expect(try kept.status(key: text) == 401, "the connection is the one of before")
            try? client.send(#"{"event_type":"key.tcp.late"}"#)
            #expect(client.waitForEnd(within: Self.limit))
            #expect(client.problem?.code == "unauthenticated")
            #expect(daemon.status(key: nil) == 401, "that all keys were revoked opens nothing")
            for daemon in [daemon, other] {
                #expect(
                    !daemon.log.contains(text)
                        && daemon.log.contains("keys are wanted of everyone from now on"))
                #expect(try daemon.stop() == .status(0))
            }
            try daemon.start()
            #expect(
                daemon.status(key: nil) == 401 && daemon.status(key: text) == 401, "and after a restart too"
            )
            #expect(
                try installation.auditor.integer(
                    "SELECT count(*) FROM analytics_events WHERE event_type = 'key.tcp.late'") == 0)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a rotated key opens beside the new one, until the overlap is over`() throws {
            let daemon = try Installation("keyRotation").daemon
            try daemon.start()
            let key = try MadeKey.create(on: daemon, "--scope", "write")
            let old = try #require(key.key)
            let new = try #require(
                try daemon.run("keys", "rotate", key.id, "--overlap", "1h", "--json").report(MadeKey.self)
                    .key)
            #expect(eventually(within: Self.limit) { daemon.status(key: new) == 202 })
            #expect(daemon.status(key: old) == 202)
            #expect(try daemon.run("keys", "rotate", key.id, "--overlap", "0s").isSuccess)
            #expect(eventually(within: Self.limit) { daemon.status(key: old) == 401 })
            #expect(daemon.status(key: new) == 202)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `an expired key ends by itself, while PostgreSQL is away too`() throws {
            let installation = try Installation("keyExpiry", cluster: try TestCluster(isDurable: false))
            let daemon = installation.daemon
            try daemon.start()
            let text = try #require(
                try MadeKey.create(on: daemon, "--scope", "write", "--expires", "8s").key)
            #expect(eventually(within: Self.limit) { daemon.status(key: text) == 202 })
            try installation.cluster.stopImmediately()
            #expect(eventually(within: .seconds(15)) { daemon.status(key: text) == 401 })
            #expect(eventually { inForce(daemon) == 0 })
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a restart while PostgreSQL is away lets the same keys in, and nobody else`() throws {
            let installation = try Installation("keyRestart", cluster: try TestCluster(isDurable: false))
            let daemon = installation.daemon
            try daemon.start()
            let key = try #require(try MadeKey.create(on: daemon, "--scope", "write").key)
            let revoked = try MadeKey.create(on: daemon, "--scope", "write")
            #expect(eventually(within: Self.limit) { inForce(daemon) == 2 })
            #expect(try daemon.run("keys", "revoke", revoked.id).isSuccess)
            #expect(eventually(within: Self.limit) { inForce(daemon) == 1 })
            let path = daemon.directory + "/spool/keys.json"
            #expect(
                eventually {
                    TextFile.read(path).contains(#""keys":[{"#) && !TextFile.read(path).contains(revoked.id)
                })
            #expect(!TextFile.read(path).contains(key.dropFirst(18).prefix(43)), "hashes, no secrets")
            #expect(FileStatus(path)?.permissions == 0o600)
            try installation.cluster.stop()
            try daemon.kill()
            try daemon.start()
            #expect(daemon.status(key: key) == 202)
            #expect(daemon.status(key: revoked.key) == 401 && daemon.status(key: nil) == 401)
            try installation.cluster.start()
            #expect(eventually { daemon.log.contains("keys read again") })
            #expect(daemon.status(key: key) == 202)
            #expect(try (daemon.metrics().count("millrace_access_key_refresh_failures_total") ?? 0) > 0)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
