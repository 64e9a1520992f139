import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Synchronization
import Testing

@Suite(.onOwnThreads) struct RebuildTests {
    private let database: TestDatabase
    private let connection: PostgresConnection
    private let scratch: ScratchDirectory
    private let shop: ShopPack

    init() throws {
        database = try TestCluster.shared.database()
        connection = try database.connect()
        scratch = try ScratchDirectory()
        shop = try ShopPack(in: scratch)
        for month in [9, 10, 11] {
            guard let month = PartitionMonth(year: 2026, month: month) else { continue }
            try Partitions(connection: connection).ensure(month, of: .analyticsEvents)
        }
    }

    private func pack() throws -> PackDefinition { try PackLoader(directory: shop.directory).load("shop") }

    /// Batches as writers leave them that know no pack: orders saved again and again, some deleted, and notes.
    private func addBatches(_ ids: ClosedRange<Int>, rows: Int = 40) throws {
        try connection.execute(
            """
            INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead)
            SELECT '00000000-0000-4000-8000-000000000001', b * 1000, b * 1000 + \(rows) - 1, b, \(rows), 0, 0
            FROM generate_series(\(ids.lowerBound), \(ids.upperBound)) AS b;
            INSERT INTO analytics_events (id, event_type, payload, created_at, batch_id)
            SELECT gen_random_uuid(),
                CASE n % 10 WHEN 0 THEN 'shop.order_deleted' WHEN 1 THEN 'shop.noted' ELSE 'shop.order_saved' END,
                jsonb_build_object(
                    'id', (b * 7 + n) % 97, 'order', n, 'text', 'note ' || n,
                    'status', (ARRAY['NEW', 'PAID', 'SHIPPED'])[1 + (b + n) % 3], 'total', (b * n) % 1000,
                    'customer', 'customer ' || (b * n) % 50),
                timestamptz '2026-09-01 00:00:00+00' + ((b * 7919 + n * 104729) % 7800000) * interval '1 second', b
            FROM generate_series(\(ids.lowerBound), \(ids.upperBound)) AS b, generate_series(1, \(rows)) AS n
            """)
    }

    private func text(_ sql: String) throws -> String { try connection.execute(sql).string(0, 0) ?? "" }

    @Test func `a rebuild folds what is there and makes it live, and the recount agrees`() throws {
        try addBatches(1...60)
        try PackInstaller(connection: connection).install([try pack()])
        var steps: [RebuildProgress] = []
        let report = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run {
            steps.append($0)
        }
        #expect(report.batches == 60 && report.rows == 2400 && report.isContinued && report.parked == 0)
        #expect(steps.last?.step == .switching && steps.last?.batchesDone == 60 && steps.last?.rowsLeft == 0)
        let version = try #require(try PackVersion.all(connection).first)
        #expect(version.state == .live && version.schema == "projections")
        try #expect(text("SELECT bool_and(folded = ARRAY[\(version.id)]) FROM ingest_batches") == "t")
        try #expect(
            text("SELECT sum(n) FROM projections.shop_orders_by_day")
                == text("SELECT count(*) FROM analytics_events WHERE event_type = 'shop.order_saved'"))
        try #expect(text("SELECT to_regnamespace('projections_shop_next') IS NULL") == "t")
        let recounts = try ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }
        #expect(recounts.tables.count == 6)
        #expect(recounts.isEqual, "\(recounts)")
    }

    @Test func `the switch waits until the outbox holds none of the pack's events`() throws {
        try addBatches(1...3)
        try PackInstaller(connection: connection).install([try pack()])
        try connection.execute("INSERT INTO public.outbox (event_type, payload) VALUES ('shop.order_saved', '{}')")
        let (database, pack, switching) = (database, try pack(), Switching())
        let rebuild = BackgroundThread {
            _ = try Rebuild(connection: database.connect(), pack: pack, joinAge: .seconds(3600)).run {
                if $0.step == .switching { switching.hasBegun.store(true, ordering: .relaxed) }
            }
        }
        #expect(eventually { switching.hasBegun.load(ordering: .relaxed) })
        #expect(try PackVersion.all(connection).map(\.state) == [.building])
        try connection.execute("DELETE FROM public.outbox")
        try rebuild.join()
        #expect(try PackVersion.all(connection).map(\.state) == [.live])
    }

    private final class Switching: Sendable {
        let hasBegun = Atomic<Bool>(false)
    }

    @Test func `a higher version is built beside the live one and replaces it`() throws {
        try PackInstaller(connection: connection).install([try pack()])
        try addBatches(1...20)
        try #expect(
            Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }.batches == 20)
        try shop.write(version: 2)
        try connection.execute("GRANT UPDATE ON projections.shop_orders TO PUBLIC")
        let report = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        #expect(report.version == 2 && report.batches == 20 && !report.isContinued)
        // What was granted on the tables stays.
        try #expect(
            text(
                """
                SELECT string_agg(privilege_type, ',') FROM pg_class, aclexplode(relacl)
                WHERE oid = 'projections.shop_orders'::regclass AND grantee = 0
                """) == "UPDATE")
        let versions = try PackVersion.all(connection)
        #expect(versions.count == 1 && versions[0].version == 2)
        try #expect(
            text("SELECT sum(n) FROM projections.shop_orders_by_hour")
                == text("SELECT sum(n) FROM projections.shop_orders_by_day"))
        try #expect(text("SELECT projections.shop_open_total('NEW') > 0") == "t")
        try #expect(text("SELECT bool_and(folded @> ARRAY[\(versions[0].id)]) FROM ingest_batches") == "t")
        try #expect(ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }.isEqual)
    }

    @Test func `a rebuild that was cut off goes on where it stopped`() throws {
        try addBatches(1...3, rows: 15_000)
        try PackInstaller(connection: connection).install([try pack()])
        let interrupt = PostgresInterrupt()
        let first = try database.connect(interrupt: interrupt)
        #expect(throws: PostgresError.self) {
            _ = try Rebuild(connection: first, pack: try pack(), joinAge: .seconds(3600)).run { state in
                if state.batchesDone == 1 { interrupt.raise() }
            }
        }
        first.close()
        let report = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        #expect(report.isContinued && report.batches == 2)
        try #expect(ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }.isEqual)
    }

    @Test func `a half-built version can be abandoned, and one of other files is`() throws {
        try addBatches(1...2)
        try PackInstaller(connection: connection).install([try pack()])
        try #expect(Rebuild.abandon("shop", on: connection))
        try #expect(!Rebuild.abandon("shop", on: connection))
        try #expect(text("SELECT to_regnamespace('projections_shop_next') IS NULL") == "t")
        try PackInstaller(connection: connection).install([try pack()])
        try shop.write(version: 2)
        let report = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        #expect(!report.isContinued && report.version == 2)
    }

    @Test func `a definition that changed under its version is refused`() throws {
        try PackInstaller(connection: connection).install([try pack()])
        try shop.write(version: 1, suffix: "CREATE INDEX ON shop_notes (\"order\");")
        let error = try #require(throws: ProjectionsError.self) {
            _ = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        }
        #expect(error.code == .definitionChanged && error.hint.contains("version"))
    }

    @Test func `one rebuild at a time`() throws {
        try PackInstaller(connection: connection).install([try pack()])
        let other = try database.connect()
        try ProjectionsLock(connection: other).hold(alone: true)
        let error = try #require(throws: ProjectionsError.self) {
            _ = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        }
        #expect(error.code == .busy && error.isRetryable)
    }

    @Test func `a recount finds what was changed by hand, and shows key, is and should be`() throws {
        try addBatches(1...10)
        try PackInstaller(connection: connection).install([try pack()])
        _ = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        try connection.execute(
            """
            UPDATE projections.shop_orders_by_day SET n = n + 1
            WHERE (bucket, status) = (SELECT bucket, status FROM projections.shop_orders_by_day LIMIT 1);
            DELETE FROM projections.shop_notes WHERE event_id = (SELECT event_id FROM projections.shop_notes LIMIT 1);
            UPDATE projections.shop_customers SET sketch = '\\x01'
            WHERE bucket = (SELECT min(bucket) FROM projections.shop_customers);
            UPDATE projections.shop_customers SET sketch = '\\x03'
            WHERE bucket = (SELECT max(bucket) FROM projections.shop_customers)
            """)
        let recounts = try ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }
        #expect(!recounts.isEqual)
        let wrong = recounts.tables.filter { !$0.differences.isEmpty }
        #expect(wrong.map(\.table) == ["shop_orders_by_day", "shop_customers", "shop_notes"])
        #expect(wrong.map(\.differenceCount) == [1, 2, 1])
        let counter = try #require(wrong.first?.differences.first)
        #expect(counter.key.contains("status=") && counter.found.contains("n=") && counter.expected.contains("n="))
        #expect(wrong[2].differences[0].found == "no row")
        // The recount's own tables are gone.
        try #expect(text("SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%recount%'") == "0")
        _ = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        try #expect(ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }.isEqual)
    }

    @Test func `sealed months are taken over where rows say their month`() throws {
        try addBatches(1...10)
        let analytics = try PackLoader().load("analytics")
        try PackInstaller(connection: connection).install([analytics])
        _ = try Rebuild(connection: connection, pack: analytics, joinAge: .seconds(3600)).run { _ in }
        let before = try text(
            "SELECT sum(n) FROM projections.analytics_events_by_hour WHERE bucket < '2026-10-01 00:00:00+00'")
        try connection.execute("DROP TABLE analytics_events_y2026m09")
        let report = try Rebuild(connection: connection, pack: analytics, joinAge: .seconds(3600)).run { _ in }
        #expect(report.sealedMonths == ["2026-09"])
        try #expect(
            text("SELECT sum(n) FROM projections.analytics_events_by_hour WHERE bucket < '2026-10-01 00:00:00+00'")
                == before)
        let recounts = try ProjectionAudit(connection: connection, pack: analytics).run { _, _ in }
        #expect(recounts.isEqual && recounts.sealedMonths == ["2026-09"], "\(recounts)")
    }

    /// In place by `migrate up`, or by a rebuild.
    @Test(arguments: [true, false])
    func `sketches of version 1 are carried over, also of months whose rows are gone`(isInPlace: Bool) throws {
        try addBatches(1...60, rows: 100)
        try connection.execute("UPDATE analytics_events SET user_id = md5(id::text)::uuid")
        let older = try PackLoader(directory: OlderPacks.directory).load("analytics")
        let analytics = try PackLoader().load("analytics")
        try PackInstaller(connection: connection).install([older])
        _ = try Rebuild(connection: connection, pack: older, joinAge: .seconds(3600)).run { _ in }
        try connection.execute("GRANT SELECT ON projections.analytics_active_users TO PUBLIC")
        // As they were written then: whole, a byte a register.
        let month = "bucket = '2026-09-01 00:00:00+00'"
        let users = try connection.execute(
            "SELECT user_id::text FROM analytics_events WHERE created_at < '2026-10-01+00'")
        var september = HyperLogLog()
        let hashes = (0..<users.rowCount).map { row in
            Self.uuid(users.string(row, 0) ?? "").withUnsafeBytes { HyperLogLog.hash($0) }
        }
        september.insert(hashes)
        try #require(!september.isExact)
        let wide = WideSketch.hexadecimal(WideSketch.bytes(of: hashes))
        try connection.execute(
            "UPDATE projections.analytics_active_users_by_month SET sketch = '\\x\(wide)' WHERE \(month)")
        let id = try PackVersion.all(connection).first?.id
        try connection.execute("DROP TABLE analytics_events_y2026m09")

        if isInPlace {
            let outcomes = try PackInstaller(connection: connection).install([analytics])
            #expect(outcomes.map(\.outcome) == [.upgraded(from: 1)])
            #expect(try PackInstaller(connection: connection).install([analytics]).map(\.outcome) == [.alreadyThere])
            // Still the version that the ledger names.
            #expect(try PackVersion.all(connection).map(\.id) == [id])
        } else {
            let report = try Rebuild(connection: connection, pack: analytics, joinAge: .seconds(3600)).run { _ in }
            #expect(report.sealedMonths == ["2026-09"])
        }
        #expect(try PackVersion.all(connection).map { $0.isMade(from: analytics) } == [true])
        let rows = try connection.query(
            "SELECT chunk::text, sketch FROM projections.analytics_active_users_by_month WHERE \(month)",
            answersBinary: true)
        var kept = HyperLogLog()
        for row in 0..<rows.rowCount {
            let isRead = rows.withBytes(row, 1) { bytes in
                bytes.map { kept.merge(row: $0, chunk: rows.int(row, 0)) } ?? false
            }
            #expect(isRead)
        }
        #expect(kept == september)
        let recounts = try ProjectionAudit(connection: connection, pack: analytics).run { _, _ in }
        #expect(recounts.isEqual && recounts.sealedMonths == ["2026-09"], "\(recounts)")
        try #expect(
            text("SELECT has_table_privilege('pg_monitor', 'projections.analytics_active_users', 'SELECT')") == "t")
    }

    private static func uuid(_ text: String) -> [UInt8] {
        let digits = Array(text.utf8.filter { $0 != UInt8(ascii: "-") })
        return stride(from: 0, to: digits.count - 1, by: 2).map {
            UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16) ?? 0
        }
    }

    @Test func `a fold over all time can't be built over sealed months, and the live version stays`() throws {
        try addBatches(1...10)
        try PackInstaller(connection: connection).install([try pack()])
        _ = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        let live = try PackVersion.all(connection)
        try connection.execute("DROP TABLE analytics_events_y2026m09")
        let error = try #require(throws: ProjectionsError.self) {
            _ = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        }
        #expect(error.code == .sealedMonths && error.message.contains("2026-09") && error.message.contains("no bucket"))
        try #expect(PackVersion.all(connection) == live)
    }

    /// Rows of `analytics_events` that the server has looked at, in scans and through indexes.
    private func rowsRead() throws -> Int {
        try connection.execute("SELECT pg_stat_force_next_flush()")
        let reads = try connection.execute(
            """
            SELECT COALESCE(sum(seq_tup_read + COALESCE(idx_tup_fetch, 0)), 0)::bigint
            FROM pg_stat_user_tables
            WHERE relname LIKE 'analytics_events_y%'
            """)
        return reads.int(0, 0) ?? 0
    }

    /// As daemons leave them at live rates, and no vacuum has been there since.
    private func addLoneEvents(_ count: Int, age: Duration) throws {
        try connection.execute(
            """
            INSERT INTO ingest_batches (spool_id, first_seq, last_seq, batch_id, rows, duplicates, dead, committed_at)
            SELECT '00000000-0000-4000-8000-000000000001', b, b, b * 1000, 1, 0, 0,
                now() - interval '\(age.components.seconds) seconds'
            FROM generate_series(1, \(count)) AS b;
            INSERT INTO analytics_events (id, event_type, payload, created_at, batch_id)
            SELECT gen_random_uuid(), CASE b % 3 WHEN 0 THEN 'shop.noted' ELSE 'shop.order_saved' END,
                jsonb_build_object(
                    'id', b % 97, 'order', b, 'text', 'note', 'status', 'NEW', 'total', 1, 'customer', 'c ' || b % 50),
                timestamptz '2026-11-01 00:00:00+00' + b * interval '1 second', b * 1000
            FROM generate_series(1, \(count)) AS b
            """)
    }

    @Test(arguments: [Duration.seconds(60), .seconds(86_400)])
    func `a rebuild and a recount read each row once, whatever the batches' size`(age: Duration) throws {
        let count = 60_000
        try addLoneEvents(count, age: age)
        try PackInstaller(connection: connection).install([try pack()])
        var before = try rowsRead()
        let report = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        #expect(report.rows == count && report.batches == count)
        #expect(try rowsRead() - before >= count)
        // Once more for the index's summaries, and the ranges in which two pages meet twice.
        let read = try rowsRead() - before
        #expect(read < count * 5 / 2)
        try #expect(text("SELECT count(*) <= 4 FROM ingest_batches") == (age > .seconds(3600) ? "t" : "f"))
        before = try rowsRead()
        let recount = try ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }
        #expect(recount.isEqual && recount.rows == count && recount.batches == count)
        #expect(try rowsRead() - before == count)
    }

    @Test func `a rebuild begun before its batches were joined goes on with them`() throws {
        try addBatches(1...3, rows: 15_000)
        try addBatches(4...40)
        try PackInstaller(connection: connection).install([try pack()])
        let interrupt = PostgresInterrupt()
        let first = try database.connect(interrupt: interrupt)
        #expect(throws: PostgresError.self) {
            _ = try Rebuild(connection: first, pack: try pack(), joinAge: .seconds(3600)).run { state in
                if state.batchesDone == 2 { interrupt.raise() }
            }
        }
        first.close()
        // Adjacent, as a daemon's are, and old.
        try connection.execute(
            """
            UPDATE ingest_batches AS batch
            SET first_seq = ends - batch.rows + 1, last_seq = ends, committed_at = now() - interval '1 day'
            FROM (SELECT batch_id, sum(rows) OVER (ORDER BY batch_id) AS ends FROM ingest_batches) AS adjacent
            WHERE adjacent.batch_id = batch.batch_id
            """)
        let report = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        #expect(report.isContinued && report.batches == 38 && report.rows == 15_000 + 37 * 40)
        // Rows that other versions held were left alone, and are joined now.
        let ledger = "SELECT string_agg(batches::text, ' ' ORDER BY batch_id) FROM ingest_batches"
        try #expect(text(ledger) == "1 1 38")
        var join = LedgerJoin(connection: connection, age: .seconds(3600))
        while !join.isAtEnd { try join.joinPortion() }
        try #expect(text(ledger) == "2 38")
        try #expect(ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }.isEqual)
    }

    @Test func `rows of a batch that the ledger lacks are found by a recount`() throws {
        try addBatches(1...30)
        try PackInstaller(connection: connection).install([try pack()])
        _ = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        try connection.execute("DELETE FROM ingest_batches WHERE batch_id IN (7, 30)")
        let recount = try ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }
        #expect(!recount.isEqual && recount.rowsUnknown == 80 && Set(recount.batchesUnknown) == [7, 30])
    }

    @Test func `rows of a batch that the ledger lacks are found among joined batches too`() throws {
        try addLoneEvents(600, age: .seconds(86_400))
        try PackInstaller(connection: connection).install([try pack()])
        _ = try Rebuild(connection: connection, pack: try pack(), joinAge: .seconds(3600)).run { _ in }
        try #expect(text("SELECT count(*) < 10 AND bool_or(batches > 1) FROM ingest_batches") == "t")
        try #expect(ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }.isEqual)
        // Within the span, and of a type that no fold of the pack counts.
        try connection.execute(
            """
            INSERT INTO analytics_events (id, event_type, created_at, batch_id)
            SELECT gen_random_uuid(), 'nobody.counts', timestamptz '2026-11-01 00:00:00+00', 300500 FROM generate_series(1, 3)
            """)
        let recount = try ProjectionAudit(connection: connection, pack: try pack()).run { _, _ in }
        #expect(!recount.isEqual && recount.rowsUnknown == 3 && recount.batchesUnknown.count == 1)
        #expect(recount.tables.allSatisfy { $0.differenceCount == 0 })
    }
}
