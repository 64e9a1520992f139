import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct FailoverTests {
        private static let count = 8000

        @Test(.startsFirst)
        func `what a standby lacks is written again, though the outage was longer than spool.retain`() throws {
            let retain = 20
            let pair = try FailoverPair("outage", settings: ["spool.retain": "\"\(retain)s\""])
            try pair.daemon.start()
            let events = EventFactory(seed: 521)
            try pair.post(events, 0..<100)
            try pair.standby.detach(from: pair.cluster)
            try pair.post(events, 100..<Self.count)
            #expect(try pair.daemon.metrics().count("millrace_spool_segments_retired_total") == 0)
            try pair.cluster.stopImmediately()
            let end = ContinuousClock.now + .seconds(retain + 1)
            #expect(eventually(within: .seconds(retain + 5)) { ContinuousClock.now > end })
            try pair.failOver(expecting: Self.count)
        }

        @Test func `segments wait until a named standby has replayed them, and while it is absent`() throws {
            let pair = try FailoverPair(
                "replayed", settings: ["spool.retain": "\"0s\"", "spool.retain_until_replayed": "\"reserve\""])
            try pair.daemon.start()
            let events = EventFactory(seed: 522)
            try pair.standby.superuser().execute("SELECT pg_wal_replay_pause()")
            try pair.post(events, 0..<Self.count)
            #expect(try eventually { try pair.cluster.replication(of: "reserve") ?? 0 > 0 })
            #expect(try pair.daemon.metrics().count("millrace_spool_segments_retired_total") == 0)
            try pair.standby.superuser().execute("SELECT pg_wal_replay_resume()")
            #expect(
                try eventually { try pair.daemon.metrics().count("millrace_spool_segments_retired_total") ?? 0 > 0 })

            try pair.standby.detach(from: pair.cluster)
            #expect(try eventually { try pair.daemon.metrics().count("millrace_spool_retention_blocked") == 1 })
            // What was replayed before may still go; what the standby lacks must not, or it would be missing in the end.
            try pair.post(events, Self.count..<2 * Self.count)
            #expect(pair.daemon.log.contains("application_name reserve"), "\(pair.daemon.log)")
            try pair.cluster.stopImmediately()
            try pair.failOver(expecting: 2 * Self.count)
        }
    }
}
