import MillracePostgres
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct PartitionsTests {
    private let database: TestDatabase
    private let connection: PostgresConnection
    private let november: PartitionMonth

    init() throws {
        database = try TestCluster.shared.database()
        connection = try database.connect()
        november = try #require(PartitionMonth(year: 2026, month: 11))
    }

    private func insert(_ time: String, into table: String = "analytics_events") throws(PostgresError) {
        try connection.execute(
            """
            INSERT INTO \(table) (id, event_type, created_at, batch_id)
            VALUES (gen_random_uuid(), 'a', '\(time)', 1)
            """)
    }

    @Test func `a month takes its rows and no others`() throws {
        let missing = try #require(throws: PostgresError.self) { try insert("2026-11-30 23:59:59.999999+00") }
        #expect(missing.category == .missingPartition)
        let partitions = Partitions(connection: connection)
        try #expect(partitions.ensure(november, of: .analyticsEvents))
        try insert("2026-11-01 00:00:00+00")
        try insert("2026-11-30 23:59:59.999999+00")
        let next = try #require(throws: PostgresError.self) { try insert("2026-12-01 00:00:00+00") }
        #expect(next.category == .missingPartition)
        let direct = try #require(throws: PostgresError.self) {
            try insert("2026-12-01 00:00:00+00", into: "analytics_events_y2026m11")
        }
        #expect(direct.category == .poison && direct.constraint == "analytics_events_y2026m11_created_at_check")
    }

    @Test func `asking again makes nothing, and so does another daemon at the same time`() throws {
        let threads = (0..<4).map { [database, november] _ in
            BackgroundThread { try Partitions(connection: database.connect()).ensure(november, of: .conversations) }
        }
        for thread in threads { try thread.join() }
        let partitions = Partitions(connection: connection)
        try #expect(!partitions.ensure(november, of: .conversations))
        try #expect(partitions.months(of: .conversations) == [november])
        try #expect(partitions.months(of: .analyticsEvents).isEmpty)
    }

    @Test func `months ahead are made for every table, over the end of the year`() throws {
        let partitions = Partitions(connection: connection)
        let made = try partitions.ensureAhead(months: 3, from: november.upperMicroseconds - 1)
        let suffixes = ["_y2026m11", "_y2026m12", "_y2027m01", "_y2027m02"]
        #expect(made == PartitionedTable.allCases.flatMap { table in suffixes.map { table.rawValue + $0 } })
        try #expect(partitions.ensureAhead(months: 3, from: november.lowerMicroseconds).isEmpty)
        let list = try partitions.list()
        #expect(list.map(\.name) == made)
        #expect(list.allSatisfy { !$0.isDetachPending && $0.bytes > 0 && $0.rowsEstimate == 0 })
        #expect(
            list[0].bounds == "FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00')"
                && list[0].month == november && list[0].payloadIndex == .valid && list[4].payloadIndex == .absent)
    }

    @Test func `open readers and writers of the parent neither hold up a new month nor are held up by it`() throws {
        let partitions = Partitions(
            connection: connection, options: PartitionOptions(lockTimeout: .milliseconds(100), attemptsMax: 1))
        try partitions.ensure(november, of: .analyticsEvents)
        let reader = try database.connect()
        try reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM analytics_events")
        let writer = try database.connect()
        let line = "01890000-0000-7000-8000-00000000000%\ta\t2026-11-05 00:00:00+00\t1\n"
        let sql = "COPY analytics_events (id, event_type, created_at, batch_id) FROM STDIN"
        try writer.execute("BEGIN")
        let rows = try writer.copyIn(sql, format: .text) { (copy) throws(PostgresError) in
            try copy.write(Array(line.replacing("%", with: "1").utf8))
            // A session amid its COPY, one that has read, and a month that is made meanwhile.
            try partitions.ensure(november.advanced(by: 1), of: .analyticsEvents)
            try copy.write(Array(line.replacing("%", with: "2").utf8))
        }
        #expect(rows == 2)
        try writer.execute("COMMIT")
        try #expect(reader.execute("SELECT count(*) FROM analytics_events").int(0, 0) == 0)
        try reader.execute("COMMIT")
        try #expect(reader.execute("SELECT count(*) FROM analytics_events").int(0, 0) == 2)
    }

    @Test func `making a month waits for the parent's lock, trying again`() throws {
        let holder = try database.connect()
        try holder.execute("BEGIN; LOCK TABLE analytics_events IN SHARE UPDATE EXCLUSIVE MODE")
        let impatient = Partitions(
            connection: connection, options: PartitionOptions(lockTimeout: .milliseconds(20), attemptsMax: 2))
        let error = try #require(throws: PostgresError.self) { try impatient.ensure(november, of: .analyticsEvents) }
        #expect(error.sqlState == .lockNotAvailable && error.isRetryable)
        #expect(connection.transactionStatus == .idle)

        let maker = BackgroundThread { [database, november] in
            let options = PartitionOptions(lockTimeout: .milliseconds(20), attemptsMax: 1000)
            try Partitions(connection: database.connect(applicationName: "maker"), options: options)
                .ensure(november, of: .analyticsEvents)
        }
        #expect(
            try eventually {
                try connection.execute(BlockedSessions.count(of: "maker")).int(0, 0) == 1
            })
        try holder.execute("ROLLBACK")
        try maker.join()
        try #expect(impatient.months(of: .analyticsEvents) == [november])
    }

    @Test func `a month has the parent's indexes, a wide pending list and an absolute vacuum threshold`() throws {
        let options = PartitionOptions(ginPendingListBytes: 12345 << 10, vacuumInsertThreshold: 54321)
        try Partitions(connection: connection, options: options).ensureAhead(
            months: 0, from: november.lowerMicroseconds)
        let detached = try connection.execute(
            """
            SELECT parent.relname
            FROM pg_index AS parent_index
            JOIN pg_class AS parent ON parent.oid = parent_index.indexrelid
            WHERE parent_index.indrelid IN ('analytics_events'::regclass, 'conversations'::regclass)
                AND (NOT parent_index.indisvalid
                    OR NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = parent_index.indexrelid))
            """)
        #expect(detached.rowCount == 0)
        let settings = try connection.execute(
            """
            SELECT relname, relkind, array_to_string(reloptions, ',')
            FROM pg_class
            WHERE reloptions IS NOT NULL AND relname LIKE '%y2026m11%' AND relkind IN ('r', 'i')
            ORDER BY relname
            """)
        let found = (0..<settings.rowCount).map { "\(settings.string($0, 0) ?? "") \(settings.string($0, 2) ?? "")" }
        let vacuum = "autovacuum_vacuum_insert_scale_factor=0,autovacuum_vacuum_insert_threshold=54321"
        #expect(
            found == [
                "analytics_events_y2026m11 \(vacuum)",
                "analytics_events_y2026m11_batch_id_idx pages_per_range=32",
                "analytics_events_y2026m11_payload_idx gin_pending_list_limit=12345",
                "conversations_y2026m11 \(vacuum)",
                "conversations_y2026m11_batch_id_idx pages_per_range=32",
                "conversations_y2026m11_conversation_document_idx gin_pending_list_limit=12345",
            ])
    }

    @Test func `a month that was detached is not made anew`() throws {
        let partitions = Partitions(connection: connection)
        try partitions.ensure(november, of: .analyticsEvents)
        try connection.execute("ALTER TABLE analytics_events DETACH PARTITION analytics_events_y2026m11")
        let error = try #require(throws: PostgresError.self) { try partitions.ensure(november, of: .analyticsEvents) }
        #expect(error.sqlState == .duplicateTable && error.hint.contains("restore"))
    }

    @Test func `closed builds the payload index of the months that are over, and repairs a broken one`() throws {
        let partitions = Partitions(connection: connection, options: PartitionOptions(payloadIndex: .closed))
        try partitions.ensureAhead(months: 1, from: november.lowerMicroseconds)
        try #expect(partitions.list().allSatisfy { $0.payloadIndex == .absent })
        try #expect(partitions.ensurePayloadIndexes(at: november.upperMicroseconds - 1).isEmpty)

        // Two rows of one value make a unique build fail, which leaves an invalid index behind.
        try insert("2026-11-01 00:00:00+00")
        try insert("2026-11-01 00:00:00+00")
        #expect(throws: PostgresError.self) {
            try connection.execute(
                """
                CREATE UNIQUE INDEX CONCURRENTLY analytics_events_y2026m11_payload_idx
                    ON analytics_events_y2026m11 (payload)
                """)
        }
        let built = try partitions.ensurePayloadIndexes(at: november.upperMicroseconds)
        #expect(built == ["analytics_events_y2026m11"])
        try #expect(partitions.list().filter { $0.payloadIndex == .valid }.map(\.name) == built)
        try #expect(partitions.ensurePayloadIndexes(at: november.upperMicroseconds).isEmpty)
    }

    @Test func `going from closed to live builds every month's payload index, and none builds nothing`() throws {
        let without = Partitions(connection: connection, options: PartitionOptions(payloadIndex: .none))
        try without.ensureAhead(months: 1, from: november.lowerMicroseconds)
        try #expect(without.ensurePayloadIndexes(at: .max).isEmpty)
        let live = Partitions(connection: connection, options: PartitionOptions(payloadIndex: .live))
        try #expect(live.ensurePayloadIndexes(at: 0).count == 2)
    }

    @Test func `cleaning moves the pending rows into the index`() throws {
        let partitions = Partitions(connection: connection)
        try partitions.ensureAhead(months: 0, from: november.lowerMicroseconds)
        try connection.execute(
            """
            INSERT INTO analytics_events (id, event_type, created_at, batch_id, payload)
            SELECT gen_random_uuid(), 'a', '2026-11-05 00:00:00+00', 1, jsonb_build_object('n', n)
            FROM generate_series(1, 2000) AS n
            """)
        try #expect(partitions.cleanPendingLists() > 0)
        try #expect(partitions.cleanPendingLists() == 0)
    }
}
