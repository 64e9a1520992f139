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

        init(_ name: String = #function, partBytesMax: Int = 1 << 20) throws {
            database = try TestCluster.shared.database(name)
            connection = try database.connect()
            packs = [try PackLoader().load("analytics"), try DemoPack.load()]
            targets = try packs.map { [connection] in try PackFixture.install($0, on: connection) }
            try Partitions(connection: connection).ensureAhead(months: 0, from: Timestamp.now.microseconds)
            writer = BatchWriter(
                spool: spool, index: 0,
                partitions: LeafPartitions(PartitionsConfiguration(), options: PartitionOptions()), packs: packs,
                partBytesMax: partBytesMax)
        }

        @discardableResult
        func write(
            _ extents: Extent..., by other: BatchWriter? = nil, on session: PostgresConnection? = nil,
            awaited: [CommitBoard.Awaited] = []
        ) throws -> BatchWriter.Committed? {
            let result = try (other ?? writer).write(
                Batch(extents: extents), awaited: awaited, on: session ?? connection, metrics: metrics)
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

    /// Each report as its line's place among `sequences`, and what it says.
    private static func words(_ outcome: BatchOutcome, from first: UInt64) -> [String] {
        outcome.reports.map { report in
            let fate =
                switch report.fate {
                case .dead: "dead"
                case .parked(let pack, let fold): "\(pack).\(fold)"
                }
            return ["\(report.sequence - first)", fate, report.code, report.sqlState, report.constraint]
                .compactMap(\.self).joined(separator: " ")
        }
    }

    @Test(arguments: [1, 1 << 20])
    func `who waits for lines hears which are dead and which are parked, each alone`(partBytesMax: Int) throws {
        let rig = try Rig("reports \(partBytesMax)", partBytesMax: partBytesMax)
        try rig.connection.execute(
            "ALTER TABLE analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison')")
        let many = Self.event(1).replacing(#""number":1"#, with: #""number":"many""#)
        let lines = [
            Self.event(1), many, Self.event(2).replacing(#""id":2"#, with: #""id":2,"total":-1"#), many,
            Self.event(3).replacing("order.saved", with: "poison"), Self.event(4).replacing(#""id":4,"#, with: ""),
            many,
        ]
        let extents = lines.map { rig.spool.append([$0]) }
        let (first, batch) = (extents[0].firstSequence, Batch(extents: extents))
        let result = try rig.writer.write(
            batch, awaited: [.init(sequences: first..<batch.sequences.upperBound - 1, reportsMax: 100)],
            on: rig.connection, metrics: rig.metrics)
        guard case .committed(let committed) = result else {
            Issue.record("not committed")
            return
        }
        #expect(committed.outcome.events == .init(committed: 6, dead: 1))
        #expect(
            Self.words(committed.outcome, from: first) == [
                "1 demo.by_day database 22P02", "1 demo.visitors database 22P02",
                "2 demo.orders database 23514 demo_orders_total_check",
                "3 demo.by_day database 22P02", "3 demo.visitors database 22P02",
                "4 dead database 23514 no_poison", "5 demo.orders missing_key",
            ])
        #expect(committed.outcome.parkedSequences.map { $0 - first } == [1, 1, 2, 3, 3, 5])
    }

    @Test func `reports are as many as wanted, and all is counted`() throws {
        let rig = try Rig()
        let bad = Self.event(2).replacing(#""id":2"#, with: #""id":"two""#)
        let extents = [rig.spool.append([bad, bad, bad]), rig.spool.append([bad, bad])]
        let committed = try #require(
            try rig.write(
                extents[0], extents[1],
                awaited: [
                    .init(sequences: extents[0].sequences, reportsMax: 2),
                    .init(sequences: extents[1].sequences, reportsMax: 0),
                ]))
        #expect(committed.outcome.reports.map(\.sequence) == Array(extents[0].sequences.prefix(2)))
        #expect(committed.outcome.parkedSequences.count == 5)
    }

    @Test func `of a duplicate it is said where the first one is parked, also of an id without a time`() throws {
        let rig = try Rig()
        let id = UniqueID.random()
        let bad = Self.event(2, id: id).replacing(#""id":2"#, with: #""id":"two""#)
        let timeless = bad.replacing(#","created_at":"\#(Self.now)""#, with: "").replacing(
            "\(id)", with: "\(UniqueID.random())")
        try rig.write(rig.spool.append([bad, timeless]))
        let extent = rig.spool.append([Self.event(1), bad, timeless])
        let committed = try #require(
            try rig.write(extent, awaited: [.init(sequences: extent.sequences, reportsMax: 9)]))
        #expect(committed.outcome.events == .init(committed: 1, duplicates: 2))
        #expect(
            Self.words(committed.outcome, from: extent.firstSequence)
                == ["1 demo.orders database 22P02", "2 demo.orders database 22P02"])
    }

    @Test func `only the live version is reported on, and only once`() throws {
        let rig = try Rig()
        let bad = Self.event(2).replacing(#""id":2"#, with: #""id":"two""#)
        let second = try PackFixture.install(
            rig.packs[1], in: "projections_demo_next", isLive: false, on: rig.connection)
        let extent = rig.spool.append([bad])
        let committed = try #require(
            try rig.write(extent, awaited: [.init(sequences: extent.sequences, reportsMax: 9)]))
        #expect(try rig.folded == ["{\((rig.targets + [second]).map { "\($0.versionID)" }.joined(separator: ","))}"])
        #expect(try rig.number("SELECT count(*) FROM projections.parked WHERE fold = 'orders'") == 2)
        #expect(Self.words(committed.outcome, from: extent.firstSequence) == ["0 demo.orders database 22P02"])
        #expect(committed.outcome.parkedSequences.count == 1)
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
