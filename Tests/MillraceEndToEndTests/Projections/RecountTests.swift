import MillraceProjections
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct RecountTests {
        private static let packs = ["analytics", "conversations", "workspaces", "commerce", "casework"]

        /// `MILLRACE_STREAM_SEED` says which streams.
        @Test func `every projection of every pack equals a plain SQL recount, over kills, with two writers`() throws {
            let seed = SeededGenerator.seed("MILLRACE_STREAM_SEED")
            let installation = try Installation(
                "recount",
                settings: [
                    "projections.packs": "[\(Self.packs.map { "\"\($0)\"" }.joined(separator: ", "))]",
                    "database.writers": "2", "database.batch_rows": "300", "spool.segment_bytes": "\"1MiB\"",
                    "spool.group_bytes": "\"64KiB\"",
                ])
            let daemon = installation.daemon
            #expect(try daemon.run("migrate", "up").isSuccess)
            let examples = Self.packs.flatMap {
                TextFile.read("\(Repository.root)/sql/packs/\($0)/seed.ndjson").split(separator: "\n").map(String.init)
            }
            try daemon.start()
            defer { #expect(throws: Never.self) { try daemon.kill() } }
            let ways: [ChaosSender.Way] = [.tcp(acks: "spooled"), .http]
            let streams = try ways.indices.map {
                try ProjectionStream(examples: examples, count: 4000, seed: seed &* 16 &+ UInt64($0))
            }
            let senders = zip(ways, streams).map { ChaosSender($0, events: $1, daemon: daemon) }
            let threads = zip(senders, streams).map { sender, stream in
                BackgroundThread { try sender.send(upTo: stream.count, within: .seconds(120)) }
            }
            let kills = Result {
                for part in 1...3 {
                    _ = eventually(within: .seconds(60)) {
                        senders.allSatisfy { $0.fault != nil || $0.acked >= streams[0].count * part / 4 }
                    }
                    try daemon.kill()
                    try daemon.start()
                }
            }
            for thread in threads { try thread.join() }
            try kills.get()
            for sender in senders { #expect(sender.fault == nil) }
            let auditor = installation.auditor
            // All that is in the spool is in the tables.
            #expect(eventually(within: .seconds(60)) { (try? auditor.verify(daemon).total?.inSpool) == 0 })
            let loader = PackLoader()
            for name in Self.packs {
                for difference in try ProjectionRecount(pack: loader.load(name), auditor: auditor).differences() {
                    Issue.record("\(difference)")
                }
            }
            #expect(try auditor.integer("SELECT count(*) FROM projections.commerce_orders") > 0)
            #expect(try auditor.integer("SELECT count(*) FROM projections.parked WHERE code = 'waiting'") > 0)
            #expect(try auditor.integer("SELECT count(*) FROM ingest_batches WHERE cardinality(folded) < 5") == 0)
        }
    }
}
