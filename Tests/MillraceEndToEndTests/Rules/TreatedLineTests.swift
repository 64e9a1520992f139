import Glibc
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Rules and fields together, while the daemon is killed and while its disk is full: what was acked is there.
    struct TreatedLineTests {
        private func installation(
            _ name: String = #function, cluster: TestCluster? = nil, settings: [String: String] = [:]
        ) throws -> FieldsInstallation {
            var settings = settings
            settings["fields.encrypt"] = #"["payload.secret"]"#
            settings["jwt.secret"] = DaemonSettings.quoted(BearerToken.secret)
            return try FieldsInstallation(
                name, cluster: cluster, settings: settings, hasKeys: false, rules: TreatedEvents.rules)
        }

        /// Every line of `range` is there exactly once: kept ones as rows, quarantined ones as letters that go in when they
        /// are retried.
        private func check(_ fields: FieldsInstallation, _ range: Range<Int>) throws {
            let auditor = fields.auditor
            let kept = range.filter { TreatedEvents.isStored($0) && !TreatedEvents.isQuarantined($0) }
            let quarantined = range.filter(TreatedEvents.isQuarantined)
            let isIn = eventually(within: .seconds(60)) {
                (try? auditor.integer("SELECT count(*) FROM public.analytics_events WHERE payload ? 'secret'")) ?? 0
                    >= kept.count
                    && (try? auditor.integer("SELECT count(*) FROM public.dead_letters")) ?? 0 >= quarantined.count
            }
            #expect(isIn)
            let ids = "SELECT id::text FROM public.analytics_events WHERE payload ? 'secret' ORDER BY id"
            #expect(try auditor.strings(ids) == kept.map(TreatedEvents.id))
            let plain = try auditor.integer(
                """
                SELECT (SELECT count(*) FROM public.dead_letters
                        WHERE NOT quarantined OR line LIKE '%secret%' OR line NOT LIKE 'mrl1.%')
                     + (SELECT count(*) FROM public.analytics_events
                        WHERE payload ? 'secret' AND payload->>'secret' NOT LIKE 'mr1.%')
                """)
            #expect(plain == 0)
            try auditor.verify(fields.daemon)
            let retried = try fields.daemon.run("dead-letters", "retry", "--all", "--without-rules", "--json")
            #expect(retried.isSuccess, "\(retried.output)\(retried.errors)")
            #expect(try auditor.strings(ids) == range.filter(TreatedEvents.isStored).map(TreatedEvents.id))
            try auditor.verify(fields.daemon)
        }

        @Test func `with rules and fields, kill -9 loses nothing that was acked, quarantined lines neither`() throws {
            let fields = try installation()
            let daemon = fields.daemon
            let events = TreatedEvents()
            let count = 4000
            var acked = 0
            for round in 0..<4 {
                let client = try TCPClient(daemon.tcp, acks: "spooled")
                try client.send(events.lines(acked..<count))
                let isLast = round == 3
                // More may be acknowledged before the kill than was waited for.
                try client.waitForAck(isLast ? count - acked : min(500 + 100 * round, count - acked))
                if !isLast {
                    try daemon.kill()
                    _ = client.waitForEnd(within: .seconds(5))
                }
                acked += client.acked
                if !isLast { try daemon.start() }
            }
            #expect(acked == count)
            try check(fields, 0..<count)
            #expect(try daemon.stop() == .status(0))
        }

        @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs wants root"))
        func `with rules and fields, a full disk loses nothing that was acked, quarantined lines neither`() throws {
            let disk = try SmallDisk(bytes: 16 << 20)
            let ballast = disk.path + "/ballast"
            try TextFile.write([UInt8](repeating: 0, count: 8 << 20), to: ballast)
            let cluster = try TestCluster(isDurable: false)
            let fields = try installation(
                cluster: cluster,
                settings: [
                    "spool.directory": "\"\(disk.path)/spool\"", "spool.segment_bytes": "\"4MiB\"",
                    "spool.group_bytes": "\"256KiB\"", "spool.free_bytes": "\"0B\"", "spool.retain": "\"0s\"",
                ])
            let daemon = fields.daemon
            try cluster.stopImmediately()
            let events = TreatedEvents(fillBytes: 1500)
            let http = HTTPClient(daemon.http)
            var taken = 0
            var refusal: HTTPResponse?
            while refusal == nil, taken < 40_000 {
                let answer = try http.postEvents(events.lines(taken..<taken + 200))
                if answer.status == 202 { taken += 200 } else { refusal = answer }
            }
            #expect(refusal?.status == 503)
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            let streamed = 400
            try client.send(events.lines(taken..<taken + streamed))
            unlink(ballast)
            try cluster.start()
            try client.waitForAck(streamed, within: .seconds(60))
            #expect(client.refusals.isEmpty)
            try check(fields, 0..<taken + streamed)
            #expect(try daemon.stop() == .status(0))
            withExtendedLifetime(disk) {}
        }
    }
}
