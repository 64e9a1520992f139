import MillraceChannels
import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceWriter
import MillraceTelemetry

@Suite(.onOwnThreads) struct BatchWriterTests {
    /// A writer on a database of its own, with this month's partitions.
    private struct Rig {
        let spool = MemorySpool()
        let connection: PostgresConnection
        let writer: BatchWriter
        let metrics = WriterMetrics()
        let partitions = LeafPartitions(PartitionsConfiguration(), options: PartitionOptions())

        /// `partBytesMax`: 1 makes each extent a part of its own.
        init(partBytesMax: Int = 1 << 20, _ name: String = #function) throws {
            connection = try TestCluster.shared.database(name).connect()
            writer = BatchWriter(spool: spool, index: 0, partitions: partitions, partBytesMax: partBytesMax)
            try Partitions(connection: connection).ensureAhead(months: 0, from: Timestamp.now.microseconds)
        }

        /// Writes the extents as one batch; nil when the ledger held part of it.
        func write(_ extents: Extent..., care: BatchCare = .full) throws -> BatchOutcome? {
            let result = try writer.write(
                Batch(extents: extents), awaited: [], care: care, on: connection, metrics: metrics)
            guard case .committed(let committed) = result else { return nil }
            return committed.outcome
        }

        func count(_ table: String, where condition: String = "true") throws -> Int {
            try connection.execute("SELECT count(*) FROM \(table) WHERE \(condition)").int(0, 0) ?? -1
        }
    }

    private static func event(_ type: String = "page.viewed", id: UniqueID? = nil, at time: String? = nil) -> String {
        let id = id.map { #""id":"\#($0)","# } ?? ""
        let time = time.map { #""created_at":"\#($0)","# } ?? ""
        return #"{\#(id)\#(time)"event_type":"\#(type)","payload":{"n":1}}"#
    }

    private static func save(_ conversation: String, question: String) -> String {
        #"{"conversation_id":"\#(conversation)","question":"\#(question)","response":"r","#
            + #""user_id":"843d440a-a7a7-45ee-96df-3568c37384b9"}"#
    }

    /// A time in this month, for events whose identity is given.
    private static var now: String {
        let month = PartitionMonth(microseconds: Timestamp.now.microseconds)
        return (month?.lowerBound ?? "").replacing(" 00:00:00+00", with: "T00:00:01.5Z")
    }

    @Test func `events and conversations of one batch go in together, with one ledger row`() throws {
        let rig = try Rig()
        let events = rig.spool.append([Self.event(), Self.event()])
        let saves = rig.spool.append([Self.save("c", question: "q")], kind: .conversation)
        let outcome = try #require(try rig.write(events, saves))
        #expect(outcome.events == .init(committed: 2))
        #expect(outcome.conversations == .init(committed: 1))
        #expect(try rig.count("analytics_events") == 2)
        #expect(try rig.count("conversations", where: "status = 'active' AND source = 'unknown'") == 1)
        #expect(
            try rig.count(
                "ingest_batches",
                where: "first_seq = 1 AND last_seq = 3 AND rows = 3 AND conversation_rows = 1") == 1)
        #expect(try rig.count("analytics_events e JOIN ingest_batches b USING (batch_id)") == 2)
    }

    @Test func `a batch that is read in parts is one transaction, whatever is wrong with a part`() throws {
        let rig = try Rig(partBytesMax: 1)
        try rig.connection.execute(
            "ALTER TABLE analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison')")
        let (known, time) = (UniqueID.random(), Self.now)
        let events = rig.spool.append([Self.event(), Self.event(id: known, at: time)])
        let save = rig.spool.append([Self.save("c", question: "q")], kind: .conversation)
        #expect(try rig.write(events, save)?.events == .init(committed: 2))
        #expect(rig.metrics.stagedBatches.value == 0)

        let first = rig.spool.append([Self.event(), Self.event("poison")])
        let second = rig.spool.append([Self.event(id: known, at: time), Self.event(), Self.event()])
        let third = rig.spool.append([Self.save("d", question: "q")], kind: .conversation)
        let outcome = try #require(try rig.write(first, second, third))
        #expect(outcome.events == .init(committed: 3, duplicates: 1, dead: 1))
        #expect(outcome.conversations == .init(committed: 1))
        #expect(outcome.deadSequences == [5] && outcome.duplicateSequences == [6])
        #expect(try rig.count("analytics_events") == 5 && rig.count("conversations") == 2)
        #expect(try rig.count("dead_letters", where: "sequence = 5 AND line LIKE '%poison%'") == 1)
        #expect(
            try rig.count("ingest_batches", where: "first_seq = 4 AND last_seq = 9 AND rows = 4 AND dead = 1") == 1)
        #expect(try rig.count("analytics_events e JOIN ingest_batches b USING (batch_id)") == 5)
    }

    @Test func `a batch that is in the ledger is not written again`() throws {
        let rig = try Rig()
        let extent = rig.spool.append([Self.event(), Self.event()])
        #expect(try rig.write(extent) != nil)
        #expect(try rig.write(extent) == nil)
        #expect(try rig.count("analytics_events") == 2)
        #expect(try rig.count("ingest_batches") == 1)
    }

    @Test func `a batch that the ledger covers in part is reported, not written`() throws {
        let rig = try Rig()
        let first = rig.spool.append([Self.event(), Self.event()])
        let second = rig.spool.append([Self.event()])
        #expect(try rig.write(first) != nil)
        let result = try rig.writer.write(
            Batch(extents: [first, second]), awaited: [], on: rig.connection, metrics: rig.metrics)
        guard case .overlap(let covered) = result else {
            Issue.record("the overlap was not seen")
            return
        }
        #expect(covered == [1..<3])
        #expect(try rig.count("analytics_events") == 2)
    }

    @Test func `an overlap of other lines under the same sequences is an error, that of the same lines is none`() throws
    {
        let rig = try Rig()
        let saves = rig.spool.append([Self.save("c", question: "q")], kind: .conversation)
        let events = rig.spool.append([
            Self.event(), Self.event(id: .random()), Self.event(id: .random(), at: Self.now),
        ])
        #expect(try rig.write(saves, events) != nil)
        // Under other borders, as after a restart, or on another host.
        let more = rig.spool.append([Self.event()])
        for extents in [[saves], [events], [events, more]] {
            let result = try rig.writer.write(
                Batch(extents: extents), awaited: [], on: rig.connection, metrics: rig.metrics)
            guard case .overlap = result else {
                Issue.record("the same lines are not known again")
                return
            }
        }
        // As if another copy of the spool had given the next two sequences to lines of its own.
        try rig.connection.execute(
            """
            INSERT INTO public.ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead)
            VALUES ('\(rig.spool.spoolID)', 5, 6, 1, 0, 2, 0)
            """)
        let next = rig.spool.append([Self.event()])
        let conflict = #expect(throws: SequenceConflict.self) { try rig.write(more, next) }
        #expect(conflict?.missing == 2 && conflict?.first == 5)
    }

    @Test func `rows that were erased since make no conflict`() throws {
        let rig = try Rig()
        let first = rig.spool.append([Self.event(), Self.event()])
        #expect(try rig.write(first) != nil)
        try rig.connection.execute("DELETE FROM public.analytics_events")
        let second = rig.spool.append([Self.event()])
        #expect(try rig.write(first, second) == nil)
    }

    @Test func `repeats of an identity, in the batch and before it, go in once and are counted`() throws {
        let rig = try Rig()
        let known = UniqueID.random()
        let twice = UniqueID.random()
        let time = Self.now
        #expect(try rig.write(rig.spool.append([Self.event(id: known, at: time)])) != nil)
        let extent = rig.spool.append([
            Self.event(), Self.event(id: known, at: time), Self.event(id: twice, at: time),
            Self.event(id: twice, at: time), Self.event(),
        ])
        let outcome = try #require(try rig.write(extent))
        #expect(outcome.events == .init(committed: 3, duplicates: 2))
        #expect(outcome.duplicateSequences == [3, 5])
        #expect(try rig.count("analytics_events") == 4)
        #expect(rig.metrics.stagedBatches.value == 1)
    }

    @Test func `an id without any time is new once, whenever it comes again`() throws {
        let rig = try Rig()
        let id = UniqueID.random()
        let first = rig.spool.append([Self.event(id: id), Self.event(id: id)])
        let again = rig.spool.append(
            [Self.event(id: id)], receivedAt: Timestamp.now.advanced(by: .seconds(1)))
        #expect(try rig.write(first)?.events == .init(committed: 1, duplicates: 1))
        #expect(try rig.write(again)?.events == .init(committed: 0, duplicates: 1))
        #expect(try rig.count("analytics_events") == 1)
        #expect(try rig.count("event_ids") == 1)
    }

    @Test func `the same conversation save adds nothing, also within a batch`() throws {
        let rig = try Rig()
        let time = Timestamp.now
        let line = Self.save("c", question: "why?")
        let extent = rig.spool.append([line, line], kind: .conversation, receivedAt: time)
        #expect(try rig.write(extent)?.conversations == .init(committed: 1, duplicates: 1))
        #expect(try rig.count("conversations") == 1)
    }

    @Test(arguments: [false, true])
    func `tenants with the same ids, times and conversations have rows of their own`(isOneBatch: Bool) throws {
        let rig = try Rig()
        let (id, other, time) = (UniqueID.random(), UniqueID.random(), Self.now)
        // The second of each tenant is a repeat: what comes together goes the careful way, or only the third batch does.
        func extents(_ tenant: Int32) -> [Extent] {
            let receivedAt = Timestamp.now
            return [
                rig.spool.append(
                    [Self.event(id: id, at: time), Self.event(id: other), Self.event(id: id, at: time)], tenant: tenant,
                    receivedAt: receivedAt),
                rig.spool.append([Self.save("c", question: "q")], kind: .conversation, tenant: tenant),
            ]
        }
        let batches = isOneBatch ? [extents(0) + extents(7) + extents(0)] : [extents(7), extents(0), extents(7)]
        for batch in batches {
            _ = try rig.writer.write(
                Batch(extents: batch), awaited: [], on: rig.connection, metrics: rig.metrics)
        }
        for tenant in [0, 7] {
            let condition = "tenant_id = \(tenant)"
            #expect(try rig.count("analytics_events", where: "\(condition) AND id = '\(id)'") == 1)
            #expect(try rig.count("analytics_events", where: "\(condition) AND id = '\(other)'") == 1)
            #expect(try rig.count("event_ids", where: "\(condition) AND id = '\(other)'") == 1)
        }
        #expect(try rig.count("analytics_events") == 4)
        #expect(try rig.count("ingest_batches", where: "dead > 0") == 0)
    }

    @Test func `a row that is there for one tenant goes in for another by COPY, not by the careful way`() throws {
        let rig = try Rig()
        let (id, time) = (UniqueID.random(), Self.now)
        for tenant: Int32 in [0, 7, 8] {
            let extent = rig.spool.append([Self.event(id: id, at: time)], tenant: tenant)
            #expect(try rig.write(extent)?.events == .init(committed: 1))
        }
        #expect(rig.metrics.stagedBatches.value == 0)
        #expect(try rig.count("analytics_events", where: "id = '\(id)'") == 3)
        let again = rig.spool.append([Self.event(id: id, at: time)], tenant: 7)
        #expect(try rig.write(again)?.events == .init(duplicates: 1))
    }

    @Test func `dead letters keep the tenant of their line`() throws {
        let rig = try Rig()
        try rig.connection.execute(
            "ALTER TABLE analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison' OR tenant_id <> 7)")
        let lines = [Self.event("poison"), Self.event()]
        let extents = [Int32(0), 7].map { rig.spool.append(lines, tenant: $0) }
        #expect(try rig.write(extents[0], extents[1])?.events == .init(committed: 3, dead: 1))
        #expect(try rig.count("dead_letters", where: "tenant_id = 7 AND code = 'database'") == 1)
        #expect(try rig.count("dead_letters") == 1)
    }

    @Test func `one poison row among many becomes a dead letter, the rest goes in`() throws {
        let rig = try Rig()
        try rig.connection.execute(
            "ALTER TABLE analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison')")
        var lines = (0..<1000).map { _ in Self.event() }
        lines[617] = Self.event("poison")
        let outcome = try #require(try rig.write(rig.spool.append(lines)))
        #expect(outcome.events == .init(committed: 999, dead: 1))
        #expect(outcome.deadSequences == [618])
        #expect(try rig.count("analytics_events") == 999)
        #expect(
            try rig.count(
                "dead_letters",
                where: "sequence = 618 AND code = 'database' AND sqlstate = '23514' AND line LIKE '%poison%'") == 1)
    }

    @Test func `refused and damaged lines are kept as dead letters and counted in the ledger`() throws {
        let rig = try Rig()
        let refused = rig.spool.append(
            [#"{"code":"invalid_json","message":"no JSON","peer":"unix","line":"{oops","line_bytes":5}"#],
            kind: .refused)
        let damaged = rig.spool.append([Self.event(), Self.event(), Self.event()], isDamaged: true)
        let good = rig.spool.append([Self.event()])
        let outcome = try #require(try rig.write(refused, damaged, good))
        #expect(outcome.events == .init(committed: 1, dead: 3))
        #expect(outcome.refused == 1)
        #expect(try rig.count("dead_letters", where: "code = 'invalid_json' AND line = '{oops'") == 1)
        #expect(try rig.count("dead_letters", where: "code = 'spool_damage' AND lines = 3 AND line IS NULL") == 1)
        #expect(try rig.count("ingest_batches", where: "rows = 1 AND dead = 3 AND refused = 1") == 1)
    }

    @Test func `a month without a partition is asked for, then written`() throws {
        let rig = try Rig()
        let month = try #require(PartitionMonth(microseconds: Timestamp.now.microseconds)).advanced(by: -5)
        let extent = rig.spool.append([
            Self.event(at: month.lowerBound.replacing(" 00:00:00+00", with: "T00:46:58Z"))
        ])
        let error = #expect(throws: PostgresError.self) { try rig.write(extent) }
        #expect(error?.category == .missingPartition)
        try rig.partitions.ensureLeaves(of: rig.writer.leaves, on: rig.connection)
        #expect(try rig.write(extent)?.events == .init(committed: 1))
        #expect(try rig.count(PartitionedTable.analyticsEvents.partitionName(month)) == 1)
    }

    @Test func `lines received under a clock that was years behind are dead letters, and make no months`() throws {
        let rig = try Rig()
        let past = Timestamp.now.advanced(by: .seconds(-6 * 366 * 86_400))
        let extent = rig.spool.append([Self.event(), Self.event(id: .random())], receivedAt: past)
        let present = rig.spool.append([Self.event()])
        #expect(throws: PostgresError.self) { try rig.write(extent, present) }
        try rig.partitions.ensureLeaves(of: rig.writer.leaves, on: rig.connection)
        let outcome = try #require(try rig.write(extent, present))
        #expect(outcome.events == .init(committed: 1, dead: 2))
        #expect(try rig.count("dead_letters", where: "code = 'month_unacceptable' AND sqlstate IS NULL") == 2)
        #expect(try rig.count("pg_inherits", where: "inhparent = 'public.analytics_events'::regclass") == 1)
        #expect(try rig.count("event_ids") == 0)
    }

    @Test func `a table that takes no row is said, and no row is moved`() throws {
        let rig = try Rig()
        try rig.connection.execute("ALTER TABLE analytics_events ADD COLUMN region text NOT NULL")
        let extent = rig.spool.append([Self.event(), Self.event()])
        let refusal = #expect(throws: TableRefusal.self) { try rig.write(extent, care: BatchCare()) }
        #expect(refusal?.table == .analyticsEvents && refusal?.cause.sqlState?.rawValue == "23502")
        #expect(try rig.count("dead_letters") == 0 && rig.count("ingest_batches") == 0)
        #expect(try rig.write(extent, care: .full)?.events == .init(dead: 2))
    }

    @Test func `a lone row that is refused is at fault when a known row would go in again`() throws {
        let rig = try Rig()
        #expect(try rig.write(rig.spool.append([Self.event()])) != nil)
        try rig.connection.execute(
            "ALTER TABLE analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison')")
        let outcome = try rig.write(rig.spool.append([Self.event("poison")]), care: BatchCare())
        #expect(outcome?.events == .init(dead: 1))
        #expect(try rig.count("analytics_events") == 1)
    }
}
