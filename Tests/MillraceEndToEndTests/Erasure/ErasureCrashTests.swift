import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Whatever ends in the middle of an erasure: the next one goes on, and all is as if nothing had happened.
    struct ErasureCrashTests {
        private static let user = ErasureInstallation.user
        private static let word = ErasureInstallation.word

        /// Tables that a pass comes to, whose lock stops it there.
        private static let stops = [
            "public.outbox", "public.erasure_keys", "public.conversations", "public.analytics_events_y2026m10",
            "public.conversations_y2026m11", "public.erased_rows", "public.erasure_sketches", "projections.parked",
            "projections.commerce_users", "projections.commerce_orders", "projections.workspaces_workspaces",
            "projections.conversations_feedback", "projections.analytics_active_users", "public.dead_letters",
            "public.password_hashes", "public.erasure_spools", "public.audit_log",
        ]

        private func filled(_ name: String = #function, cluster: TestCluster? = nil, settings: [String: String] = [:])
            throws -> ErasureInstallation
        {
            let erasure = try ErasureInstallation(name, cluster: cluster, settings: settings)
            try erasure.send(
                erasure.lines(Self.user, Self.word, number: 1)
                    + erasure.lines(ErasureInstallation.other, "kept", number: 2) + erasure.numbered(8, "kept"))
            let refused =
                #"{"event_type":"page.viewed","user_id":"\#(Self.user)","payload":{"email":"\#(Self.word)"},"x":1}"#
            try erasure.sendWithoutGreeting([refused], letters: 1)
            return erasure
        }

        /// Waits for the end of the erasure, and compares: the user is nowhere, counts equal a recount, and the report says of
        /// each change that it was done once.
        private func expectExact(_ erasure: ErasureInstallation, _ planned: [String: Int]) throws {
            let isDone = eventually(within: .seconds(90)) {
                (try? erasure.auditor.strings("SELECT DISTINCT state FROM public.erasures")) == ["done"]
            }
            let states = try erasure.auditor.strings("SELECT state || coalesce(error, '') FROM public.erasures")
            #expect(isDone, "\(states)")
            try erasure.expectNowhere(Self.user)
            try erasure.expectNowhere(Self.word)
            try erasure.verify()
            var wanted = planned
            wanted["spool_lines"] = nil
            let counts = try erasure.auditor.strings(
                """
                SELECT key || ' ' || sum(value::bigint)
                FROM public.erasures
                CROSS JOIN LATERAL jsonb_each_text(counts)
                WHERE key <> 'spool_lines'
                GROUP BY key
                ORDER BY key
                """)
            #expect(counts == wanted.map { "\($0.key) \($0.value)" }.sorted())
            #expect(
                try erasure.auditor.integer("SELECT count(*) FROM public.audit_log WHERE action = 'user.erase'")
                    == erasure.auditor.integer("SELECT count(*) FROM public.erasures"))
        }

        /// Which program's session waits for a lock of this one.
        private func blocked(_ erasure: ErasureInstallation) throws -> String? {
            try erasure.auditor.strings(
                """
                SELECT application_name
                FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                    AND application_name IN ('millrace erasure', 'millrace command')
                """
            ).first
        }

        @Test func `an erasure whose command or daemon is killed at any point ends exact, and counts nothing twice`()
            throws
        {
            var random = SeededGenerator(seed: SeededGenerator.seed("MILLRACE_ERASURE_SEED"))
            let erasure = try filled()
            let planned = try erasure.planned(Self.user)
            let points = Self.stops.shuffled(using: &random).prefix(6)
            let output = erasure.daemon.directory + "/killed.txt"
            var holder: PostgresConnection?
            var kills: [String] = []
            for point in points {
                let lock = "BEGIN; LOCK TABLE \(point) IN ACCESS EXCLUSIVE MODE"
                var next = try erasure.installation.database.connect()
                do {
                    try next.execute("SET lock_timeout = '500ms'; \(lock)")
                    try holder?.execute("ROLLBACK")
                } catch {
                    // The session of who was killed has it, and waits for the other.
                    try holder?.execute("ROLLBACK")
                    next = try erasure.installation.database.connect()
                    try next.execute(lock, timeout: .seconds(60))
                }
                holder = next
                let command = try SpawnedProcess(
                    MillraceBinary.path,
                    ["users", "erase", Self.user, "--yes", "--quiet", "--config", erasure.daemon.configuration],
                    mark: erasure.daemon.configuration, output: output, errors: output)
                var who: String?
                _ = try eventually(within: .seconds(30)) {
                    who = try blocked(erasure)
                    return who != nil || !command.isRunning
                }
                // Some looks later, so that it is not always at the same place.
                for _ in 0..<Int.random(in: 0...20, using: &random) { _ = try blocked(erasure) }
                kills.append("\(point): \(who ?? "nobody")")
                if command.isRunning {
                    command.signal(SIGKILL)
                    try command.waitForExit(within: .seconds(20))
                }
                if who == "millrace erasure" {
                    try erasure.daemon.kill()
                    try erasure.daemon.start()
                }
            }
            try holder?.execute("ROLLBACK")
            #expect(kills.contains { !$0.hasSuffix("nobody") }, "\(kills)")
            print("erasure: killed at \(kills)")
            try erasure.eraseAll(Self.user)
            try expectExact(erasure, planned)
        }

        @Test func `an erasure goes on by itself after PostgreSQL was stopped in the middle`() throws {
            let cluster = try TestCluster(isDurable: true)
            let erasure = try filled(cluster: cluster, settings: ["database.retry_min": "\"50ms\""])
            let planned = try erasure.planned(Self.user)
            for point in ["public.analytics_events_y2026m11", "public.password_hashes"] {
                let holder = try erasure.installation.database.connect()
                try holder.execute("BEGIN; LOCK TABLE \(point) IN ACCESS EXCLUSIVE MODE", timeout: .seconds(60))
                #expect(
                    eventually {
                        (try? HTTPClient(erasure.daemon.http).request("DELETE", "/v1/users/\(Self.user)").status) == 202
                    })
                #expect(try eventually { try blocked(erasure) != nil })
                try cluster.stopImmediately()
                let run = try erasure.erase(Self.user, "--yes")
                #expect(run.exit == .status(1) && !run.errors.isEmpty, "\(run.errors)")
                try cluster.start()
            }
            try expectExact(erasure, planned)
            try erasure.daemon.stop()
            try cluster.stop()
        }

        @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs wants root"))
        func `a full disk keeps segments as they are and events coming, and the erasure ends when there is room`()
            throws
        {
            let disk = try SmallDisk(bytes: 12 << 20)
            let spool = disk.path + "/spool"
            let ballast = disk.path + "/ballast"
            let erasure = try filled(
                settings: [
                    "spool.directory": "\"\(spool)\"", "spool.segment_bytes": "\"1MiB\"",
                    "spool.group_bytes": "\"256KiB\"",
                    "spool.free_bytes": "\"256KiB\"", "spool.retain": "\"1h\"",
                ])
            let long = String(repeating: "x", count: 2000)
            try erasure.send(
                (0..<300).map {
                    erasure.event(
                        "page.viewed", #"{"email":"\#(Self.word) \#(long)","n":\#($0)}"#, user: Self.user,
                        "2026-11-24T10:00:00Z")
                })
            // Room for some events beside the reserve, and for no segment.
            let free =
                try Int(
                    ErasureInstallation.shell("df -B1 --output=avail '\(disk.path)' | tail -1")
                        .split(whereSeparator: \.isWhitespace).joined()) ?? 0
            try TextFile.write([UInt8](repeating: 0, count: free - (500 << 10)), to: ballast)
            let run = try erasure.erase(Self.user, "--yes", "--wait", "1")
            #expect(run.exit == .status(1), "\(run.output) \(run.errors)")
            #expect(try run.report(ErasureInstallation.Report.self).waitingFor.count == 1)
            #expect(eventually { erasure.daemon.log.contains("a copy of a segment takes") }, "\(erasure.daemon.log)")
            #expect(try ErasureInstallation.shell("ls '\(spool)'").contains(".rewrite") == false)
            #expect(try !ErasureInstallation.grep(Self.word, spool).isEmpty)
            #expect(
                try HTTPClient(erasure.daemon.http).postEvents(
                    Array(#"{"event_type":"page.kept"}"#.utf8), query: "?ack=committed"
                ).status == 200)
            unlink(ballast)
            #expect(
                eventually(within: .seconds(60)) {
                    (try? erasure.auditor.strings("SELECT state FROM public.erasures")) == ["done"]
                })
            #expect(try ErasureInstallation.grep(Self.word, spool).isEmpty)
            #expect(try ErasureInstallation.grep(Self.user, spool).isEmpty)
            try erasure.expectNowhere(Self.word)
            try erasure.verify()
            try erasure.daemon.stop()
            withExtendedLifetime(disk) {}
        }
    }
}
