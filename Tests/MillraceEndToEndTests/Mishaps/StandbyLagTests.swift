import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What the spool keeps, against what a standby may lack.
    struct StandbyLagTests {
        @Test func `a standby that is further behind than the spool keeps lines is an alarm, until it has caught up`()
            throws
        {
            let pair = try FailoverPair("lag", settings: ["spool.retain": "\"10s\""])
            let daemon = pair.daemon
            try daemon.start()
            try pair.post(EventFactory(seed: 1941), 0..<50)
            func lag() throws -> Double { try daemon.metrics().value("millrace_standby_lag_seconds") ?? -1 }
            #expect(try daemon.metrics().value("millrace_spool_retain_seconds") == 10)
            #expect(try eventually { try (0..<2).contains(lag()) })
            #expect(!(try Readiness.text(of: daemon)).contains("standby_lag"))

            try pair.standby.superuser().execute("SELECT pg_wal_replay_pause()")
            try pair.post(EventFactory(seed: 1941), 50..<100)
            #expect(try eventually { try lag() > 10 })
            #expect(
                eventually { daemon.log.contains("standby is further behind than the spool keeps lines") },
                "\(daemon.log.suffix(2000))")
            #expect(daemon.log.contains("nearly as far behind") && daemon.log.contains("standby=reserve"))
            let told = try Readiness.text(of: daemon)
            #expect(told.contains("standby_lag") && told.contains("reserve"), "\(told)")
            let check = try daemon.run("check")
            #expect(check.exit == .status(1), "\(check.errors)")
            #expect(check.output.contains("FAIL  standbys: the standby reserve is"), "\(check.output)")

            try pair.standby.superuser().execute("SELECT pg_wal_replay_resume()")
            #expect(eventually { daemon.log.contains("no standby is too far behind any more") })
            #expect(try eventually { try !Readiness.text(of: daemon).contains("standby_lag") })
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a standby that segments wait for is none`() throws {
            let pair = try FailoverPair(
                "awaited", settings: ["spool.retain": "\"1s\"", "spool.retain_until_replayed": "\"reserve\""])
            let daemon = pair.daemon
            try daemon.start()
            try pair.standby.superuser().execute("SELECT pg_wal_replay_pause()")
            try pair.post(EventFactory(seed: 1942), 0..<200)
            // A second one, of which nobody knows, is: so both have been looked at.
            let other = try TestStandby(of: pair.cluster, name: "other")
            try other.superuser().execute("SELECT pg_wal_replay_pause()")
            try pair.post(EventFactory(seed: 1942), 200..<400)
            #expect(eventually { daemon.log.contains("standby=other") }, "\(daemon.log.suffix(2000))")
            #expect(!daemon.log.contains("standby=reserve"))
            try other.superuser().execute("SELECT pg_wal_replay_resume()")
            try pair.standby.superuser().execute("SELECT pg_wal_replay_resume()")
            #expect(try daemon.stop() == .status(0))
        }
    }
}

extension Readiness {
    /// All that `/readyz` says.
    fileprivate static func text(of daemon: DaemonProcess) throws -> String {
        try HTTPClient(daemon.http).request("GET", "/readyz").text
    }
}
