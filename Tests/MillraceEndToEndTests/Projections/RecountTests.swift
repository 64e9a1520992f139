import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct RecountTests {
        private static let packs = ["analytics", "conversations", "workspaces", "commerce", "casework", "product"]

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
            // Another tenant sends the same events, so that it has the same ids, times, keys and unique values.
            let other = BackgroundThread { try Self.putIntoOutbox(streams[0], of: 7, in: installation.database) }
            let kills = Result {
                for part in 1...3 {
                    _ = eventually(within: .seconds(60)) {
                        senders.allSatisfy { $0.fault != nil || $0.acked >= streams[0].count * part / 4 }
                    }
                    try daemon.kill()
                    try daemon.start()
                }
            }
            for thread in threads + [other] { try thread.join() }
            try kills.get()
            for sender in senders { #expect(sender.fault == nil) }
            let auditor = installation.auditor
            #expect(eventually(within: .seconds(60)) { (try? auditor.integer("SELECT count(*) FROM outbox")) == 0 })
            // All that is in the spool is in the tables.
            #expect(eventually(within: .seconds(60)) { (try? auditor.verify(daemon).total?.inSpool) == 0 })
            let loader = PackLoader()
            for name in Self.packs {
                for difference in try ProjectionRecount(pack: loader.load(name), auditor: auditor).differences() {
                    Issue.record("\(difference)")
                }
            }
            #expect(try auditor.integer("SELECT count(*) FROM projections.commerce_orders") > 0)
            let sent = try auditor.integer("SELECT count(*) FROM analytics_events WHERE tenant_id = 7")
            #expect(sent > 3000)
            #expect(
                try auditor.integer(
                    """
                    SELECT count(*)
                    FROM analytics_events AS one
                    JOIN analytics_events AS other USING (id, created_at)
                    WHERE one.tenant_id = 0 AND other.tenant_id = 7
                    """) == sent)
            #expect(try auditor.integer("SELECT count(*) FROM projections.parked WHERE tenant_id = 7") > 0)
            #expect(try auditor.integer("SELECT count(*) FROM projections.parked WHERE code = 'waiting'") > 0)
            #expect(try auditor.integer("SELECT count(*) FROM ingest_batches WHERE cardinality(folded) < 6") == 0)
        }

        private static func putIntoOutbox(
            _ stream: ProjectionStream, of tenant: Int, in database: TestDatabase
        ) throws {
            let connection = try database.connect()
            for start in stride(from: 0, to: stream.count, by: 200) {
                let lines = stream.lines(start..<min(start + 200, stream.count)).split(separator: UInt8(ascii: "\n"))
                try connection.query(
                    """
                    INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
                    SELECT
                        (line ->> 'id')::uuid, $2::integer, line ->> 'event_type', (line ->> 'user_id')::uuid,
                        line -> 'payload', (line ->> 'created_at')::timestamptz
                    FROM unnest($1::text[]) AS sent (text)
                    CROSS JOIN LATERAL CAST(sent.text AS jsonb) AS line
                    WHERE line ? 'event_type'
                    ON CONFLICT DO NOTHING
                    """,
                    parameters: [.array(lines.map { String(decoding: $0, as: UTF8.self) }), .integer(tenant)])
            }
        }
    }
}
