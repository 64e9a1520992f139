import MillraceChannels
import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

@testable import MillraceWriter
import MillraceTelemetry

@Suite(.onOwnThreads) struct BatchProjectionTests {
    /// Writers on a database of their own, with the packs of analytics and demo.
    private struct Rig {
        let database: TestDatabase
        let spool = MemorySpool()
        let connection: PostgresConnection
        let packs: [PackDefinition]
        let targets: [FoldTarget]
        let writer: BatchWriter
        let metrics = WriterMetrics()

        init(_ name: String = #function) throws {
            database = try TestCluster.shared.database(name)
            connection = try database.connect()
            packs = [try PackLoader().load("analytics"), try DemoPack.load()]
            targets = try packs.map { [connection] in try PackFixture.install($0, on: connection) }
            try Partitions(connection: connection).ensureAhead(months: 0, from: Timestamp.now.microseconds)
            writer = BatchWriter(
                spool: spool, index: 0,
                partitions: LeafPartitions(PartitionsConfiguration(), options: PartitionOptions()), packs: packs,
                partBytesMax: 1 << 20)
        }

        @discardableResult
        func write(
            _ extents: Extent..., by other: BatchWriter? = nil, on session: PostgresConnection? = nil
        ) throws -> BatchWriter.Committed? {
            let result = try (other ?? writer).write(
                Batch(extents: extents), isDurable: false, on: session ?? connection, metrics: metrics)
            guard case .committed(let committed) = result else { return nil }
            return committed
        }

        func number(_ sql: String) throws -> Int { try connection.execute(sql).int(0, 0) ?? -1 }

        var counted: Int {
            get throws { try number("SELECT coalesce(sum(n), 0) FROM projections.analytics_events_by_hour") }
        }

        /// Of the version ids in the ledger, in order.
        var folded: [String] {
            get throws {
                let rows = try connection.execute("SELECT folded FROM ingest_batches ORDER BY first_seq")
                return (0..<rows.rowCount).map { rows.string($0, 0) ?? "" }
            }
        }
    }

    private static func event(_ number: Int, id: UniqueID? = nil) -> String {
        let identity = id.map { #""id":"\#($0)","created_at":"\#(now)","# } ?? ""
        return #"{\#(identity)"event_type":"order.saved","payload":{"id":\#(number % 7),"number":\#(number % 3)},"#
            + #""user_id":"843d440a-a7a7-45ee-96df-3568c37384b\#(number % 10)"}"#
    }

    /// A time in this month.
    private static var now: String {
        let month = PartitionMonth(microseconds: Timestamp.now.microseconds)
        return (month?.lowerBound ?? "").replacing(" 00:00:00+00", with: "T00:00:01.5Z")
    }

    @Test func `a batch is folded once, with its rows, and the ledger says into what`() throws {
        let rig = try Rig()
        let extent = rig.spool.append((0..<50).map { Self.event($0) })
        let committed = try #require(try rig.write(extent))
        #expect(committed.omissions == [])
        #expect(try rig.counted == 50)
        #expect(try rig.write(extent) == nil)
        #expect(try rig.counted == 50)
        #expect(try rig.folded == ["{\(rig.targets.map { "\($0.versionID)" }.joined(separator: ","))}"])
        #expect(try DemoRecount.differences(over: "public.analytics_events", on: rig.connection) == [])
    }

    @Test func `of a staged batch only the rows that went in are folded`() throws {
        let rig = try Rig()
        let ids = (0..<20).map { _ in UniqueID.random() }
        try rig.write(rig.spool.append(ids[..<10].map { Self.event(1, id: $0) }))
        try rig.connection.execute(
            "ALTER TABLE analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison')")
        let poison = Self.event(1).replacing("order.saved", with: "poison")
        let committed = try #require(
            try rig.write(rig.spool.append(ids.map { Self.event(2, id: $0) } + [poison, Self.event(3, id: ids[15])])))
        #expect(committed.outcome.events == .init(committed: 10, duplicates: 11, dead: 1))
        #expect(try rig.counted == 20)
        #expect(try DemoRecount.differences(over: "public.analytics_events", on: rig.connection) == [])
    }

    @Test func `two writers at once, with repeats of each other's events, equal a recount`() throws {
        let rig = try Rig()
        let ids = (0..<200).map { _ in UniqueID.random() }
        let threads = try (0..<2).map { index in
            let session = try rig.database.connect()
            let writer = BatchWriter(
                spool: rig.spool, index: index,
                partitions: LeafPartitions(PartitionsConfiguration(), options: PartitionOptions()),
                packs: rig.packs, partBytesMax: 1 << 20)
            var generator = SeededGenerator(seed: UInt64(index))
            let extents = (0..<8).map { _ in
                rig.spool.append((0..<60).map { Self.event($0, id: ids.randomElement(using: &generator)) })
            }
            nonisolated(unsafe) let unsafe = (rig, session, writer)  // SAFETY: each thread has its own writer.
            return BackgroundThread {
                for extent in extents {
                    // Two batches of the same identities may deadlock; the service tries such a batch again.
                    while true {
                        do {
                            try unsafe.0.write(extent, by: unsafe.2, on: unsafe.1)
                            break
                        } catch let error as PostgresError where error.category == .retry {}
                    }
                }
            }
        }
        for thread in threads { try thread.join() }
        #expect(try rig.counted == rig.number("SELECT count(*) FROM analytics_events"))
        #expect(try DemoRecount.differences(over: "public.analytics_events", on: rig.connection) == [])
    }

    @Test func `a version that this daemon does not know is left to others`() throws {
        let rig = try Rig()
        try rig.connection.execute("UPDATE projections.versions SET definition_hash = 'other' WHERE pack = 'demo'")
        let committed = try #require(try rig.write(rig.spool.append([Self.event(1)])))
        #expect(committed.omissions.map(\.pack) == ["demo"])
        #expect(try rig.folded == ["{\(rig.targets[0].versionID)}"])
        #expect(try rig.number("SELECT count(*) FROM projections.demo_orders") == 0)
        #expect(rig.metrics.unfoldedBatches.value == 1)
    }

    @Test func `what a projection refuses is parked, and counts as committed`() throws {
        let rig = try Rig()
        let lines = [Self.event(1), Self.event(2).replacing(#""id":2"#, with: #""id":"two""#)]
        let committed = try #require(try rig.write(rig.spool.append(lines)))
        #expect(committed.outcome.events == .init(committed: 2))
        #expect(rig.metrics.parked.value == 1)
        #expect(
            try rig.number("SELECT count(*) FROM projections.parked WHERE fold = 'orders' AND sqlstate = '22P02'") == 1)
        #expect(try rig.number("SELECT count(*) FROM projections.demo_orders") == 1)
    }

    @Test func `ids of one time ascend with the sequence, so the later event is the last writer`() throws {
        let rig = try Rig()
        let time = Timestamp.now
        for number in 0..<30 {
            let line = #"{"event_type":"order.saved","payload":{"id":1,"tags":\#(number)}}"#
            try rig.write(rig.spool.append([line], receivedAt: time))
        }
        #expect(try rig.number("SELECT tags::text FROM projections.demo_orders") == 29)
    }
}
