import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import Testing

@Suite(.onOwnThreads) struct BatchFoldTests {
    /// A database with the demo pack, and the rows that were folded in `public.stream`.
    private struct Rig {
        let database: TestDatabase
        let connection: PostgresConnection
        let target: FoldTarget

        init(_ name: String = #function, isChunked: Bool = true) throws {
            database = try TestCluster.shared.database(name)
            connection = try database.connect()
            target = try PackFixture.install(
                DemoPack.load(replacing: isChunked ? [] : DemoPack.wholeSketches), on: connection)
            try connection.execute("CREATE TABLE public.stream (LIKE public.analytics_events)")
        }

        /// Folds `rows` in one transaction, and stores them.
        @discardableResult
        func fold(
            _ rows: some Collection<[UInt8]>, slot: Int = 3, by fold: BatchFold? = nil,
            on session: PostgresConnection? = nil, isStored: Bool = true
        ) throws -> FoldOutcome {
            let session = session ?? connection
            let fold = fold ?? BatchFold(slot: slot)
            fold.begin([target])
            try session.execute("BEGIN; SET LOCAL millrace.slot = \(slot)")
            _ = try session.copyIn("COPY public.stream (\(EventRows.columns)) FROM STDIN (FORMAT binary)") {
                (copy) throws(PostgresError) in
                for row in rows where isStored { try copy.write(row) }
            }
            for row in rows { row.withUnsafeBytes { fold.add(.analyticsEvents, rows: $0) } }
            let outcome = try fold.apply(batchID: 9, on: session)
            try session.execute("COMMIT")
            return outcome
        }

        func count(_ table: String, where condition: String = "true") throws -> Int {
            try connection.execute("SELECT count(*) FROM \(table) WHERE \(condition)").int(0, 0) ?? -1
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `in any order and in any batches, the tables equal a recount`(seed: UInt64) throws {
        let rig = try Rig("recount \(seed)")
        var generator = SeededGenerator(seed: seed)
        var rest = EventRows.random(1500, using: &generator).shuffled(using: &generator).rows[...]
        let folds = (0...15).map { BatchFold(slot: $0) }
        while !rest.isEmpty {
            let batch = rest.prefix(Int.random(in: 1...400, using: &generator))
            rest = rest.dropFirst(batch.count)
            let slot = Int.random(in: 0...15, using: &generator)
            let outcome = try rig.fold(batch, slot: slot, by: folds[slot])
            #expect(outcome.folded == [rig.target.versionID] && outcome.failures.isEmpty)
        }
        #expect(try rig.count("projections.parked") == 0)
        #expect(try DemoRecount.differences(over: "public.stream", on: rig.connection) == [], "seed \(seed)")
    }

    @Test func `events that come twice change no entity and no append`() throws {
        let rig = try Rig()
        var generator = SeededGenerator(seed: 11)
        let rows = EventRows.random(300, using: &generator).rows
        try rig.fold(rows)
        let state = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM projections.demo_orders AS t"
        let lines = try rig.count("projections.demo_lines")
        let before = try rig.connection.execute(state).string(0, 0)
        try rig.fold(rows.reversed())
        #expect(try rig.connection.execute(state).string(0, 0) == before)
        #expect(try rig.count("projections.demo_lines") == lines)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `an old record is as old as its id says, in any order and whenever it was imported`(seed: UInt64) throws {
        let rig = try Rig()
        var generator = SeededGenerator(seed: seed)
        // Months 1 to 9 are those in which an import dated what was older.
        let month: Int64 = 30 * 86_400_000_000
        let start: Int64 = 1_795_000_000_000_000
        var rows = EventRows()
        func save(_ total: Int64, savedAt: Int64, importedIn months: Int64) throws {
            let id = try #require(
                DatedIdentity.id(at: Timestamp(microseconds: savedAt), rank: 1, of: [Array("\(total)".utf8)]))
            rows.append(
                "order.saved", "{\"id\":1,\"total\":\(total)}", user: nil, createdAt: start + months * month, id: id)
        }
        for state in 1...9 as ClosedRange<Int64> {
            try save(state, savedAt: start - 10 + state, importedIn: 10 - state)
        }
        // Before all those imports, and after all those states.
        rows.append(
            "order.saved", #"{"id":1,"total":100}"#, user: nil, createdAt: start, id: UniqueID(high: 7, low: 7))
        for row in rows.shuffled(using: &generator).rows { try rig.fold([row]) }
        #expect(try rig.count("projections.demo_orders", where: "total = 100") == 1, "seed \(seed)")
        let second = try Rig()
        try second.fold(rows.shuffled(using: &generator).rows)
        #expect(try second.count("projections.demo_orders", where: "total = 100") == 1, "seed \(seed)")
    }

    @Test func `two writers at once, even of one slot, count exactly`() throws {
        let rig = try Rig()
        let threads = try (0..<2).map { writer in
            let session = try rig.database.connect()
            nonisolated(unsafe) let unsafe = (rig, session)  // SAFETY: each thread has its own session.
            return BackgroundThread {
                var generator = SeededGenerator(seed: UInt64(100 + writer))
                let fold = BatchFold(slot: 5)
                for _ in 0..<12 {
                    let rows = EventRows.random(150, using: &generator).rows
                    try unsafe.0.fold(rows, slot: 5, by: fold, on: unsafe.1)
                }
            }
        }
        for thread in threads { try thread.join() }
        #expect(try DemoRecount.differences(over: "public.stream", on: rig.connection) == [])
    }

    /// Visitors of one key, the users of `numbers`.
    private func visits(_ numbers: ClosedRange<UInt64>) -> [[UInt8]] {
        var rows = EventRows()
        for number in numbers {
            rows.append(
                "page.viewed", #"{"number":1}"#, user: number, createdAt: 1_795_000_000_000_000,
                id: UniqueID(high: number, low: number))
        }
        return rows.rows
    }

    private func visitors(_ rig: Rig) throws -> Int { try sketch(rig).count }

    private func sketch(_ rig: Rig, where condition: String = "true") throws -> HyperLogLog {
        let rows = try rig.connection.query(
            "SELECT to_jsonb(v) ->> 'chunk', sketch FROM projections.demo_visitors AS v WHERE \(condition)",
            answersBinary: true)
        var all = HyperLogLog()
        for row in 0..<rows.rowCount {
            let isRead = rows.withBytes(row, 1) { bytes in
                bytes.map { all.merge(row: $0, chunk: rows.int(row, 0)) } ?? false
            }
            try #require(isRead)
        }
        return all
    }

    /// Where the rows of sketches are, and who wrote them.
    private func versions(_ rig: Rig) throws -> Set<String> {
        let rows = try rig.connection.execute(
            "SELECT concat_ws(' ', number, slot, chunk, ctid, xmin) FROM projections.demo_visitors")
        return Set((0..<rows.rowCount).compactMap { rows.string($0, 0) })
    }

    @Test func `a batch writes only the rows of a sketch that change, and none when nothing does`() throws {
        let rig = try Rig()
        let fold = BatchFold(slot: 3)
        try rig.fold(visits(1...2000), by: fold)
        let before = try versions(rig)
        #expect(before.count == 64)
        try rig.fold(visits(500...900), by: fold)
        try rig.fold(visits(1...2000), by: BatchFold(slot: 3))
        #expect(try versions(rig) == before)
        var written = 0
        for user in 2001...2020 as ClosedRange<UInt64> {
            let before = try versions(rig)
            try rig.fold(visits(user...user), by: fold)
            let change = try versions(rig).subtracting(before).count
            #expect(change <= 1)
            written += change
        }
        #expect(written > 0)
    }

    @Test func `two writers of one slot, each with what the other has not, end in one sketch`() throws {
        let rig = try Rig()
        let threads = try (0..<2).map { writer in
            let session = try rig.database.connect()
            nonisolated(unsafe) let unsafe = (rig, session)  // SAFETY: each thread has its own session.
            return BackgroundThread {
                let fold = BatchFold(slot: 5)
                for step in 0..<60 as Range<UInt64> {
                    let first = (step * 2 + UInt64(writer)) * 15 + 1
                    try unsafe.0.fold(self.visits(max(11, first) - 10...first + 14), slot: 5, by: fold, on: unsafe.1)
                    // Together across the border between exact and not; then alone, so that what is known is of use.
                }
            }
        }
        for thread in threads { try thread.join() }
        var alone = EventRows()
        for number in 1...1800 as ClosedRange<UInt64> {
            alone.append(
                "page.viewed", #"{"number":2}"#, user: number, createdAt: 1_795_000_000_000_000,
                id: UniqueID(high: number, low: number))
        }
        try rig.fold(alone.rows, slot: 5)
        let sketch = try sketch(rig, where: "number = 1")
        #expect(!sketch.isExact)
        #expect(try sketch == self.sketch(rig, where: "number = 2"))
    }

    @Test func `an older pack's table, with a sketch in one row, is read and folded on`() throws {
        let rig = try Rig(isChunked: false)
        let fold = BatchFold(slot: 3)
        try rig.fold(visits(1...1000), by: fold)
        #expect(try visitors(rig) == 1000)
        // As it was written before, when registers had a byte each.
        let hashes = (1...1500 as ClosedRange<UInt64>).map { user in
            UniqueID(high: 7, low: user).bytes.withUnsafeBytes { HyperLogLog.hash($0) }
        }
        let wide = WideSketch.hexadecimal(WideSketch.bytes(of: hashes))
        try rig.connection.execute("UPDATE projections.demo_visitors SET sketch = '\\x\(wide)'")
        try rig.fold(visits(1001...3000), by: fold)
        var expected = HyperLogLog()
        expected.insert(
            (1...3000 as ClosedRange<UInt64>).map { user in
                UniqueID(high: 7, low: user).bytes.withUnsafeBytes { HyperLogLog.hash($0) }
            })
        #expect(try sketch(rig) == expected)
        #expect(try rig.count("projections.demo_visitors", where: "octet_length(sketch) <= 12289") == 1)
    }

    @Test func `a sketch is read once a session while nobody else writes it`() throws {
        let rig = try Rig()
        let fold = BatchFold(slot: 3)
        for last in [10, 10, 12, 12, 3000, 3000] as [UInt64] {
            try rig.fold(visits(1...last), by: fold)
            #expect(abs(try visitors(rig) - Int(last)) <= (last > 1024 ? 50 : 0))
        }
        let reads = try rig.connection.execute(
            """
            SELECT generic_plans + custom_plans FROM pg_prepared_statements
            WHERE statement LIKE '%LEFT JOIN "projections"."demo_visitors"%'
            """)
        #expect(reads.rowCount == 1 && reads.int(0, 0) == 1)
    }

    @Test func `a sketch that another session has changed is read again`() throws {
        let rig = try Rig()
        let other = try rig.database.connect()
        let (one, two) = (BatchFold(slot: 3), BatchFold(slot: 3))
        try rig.fold(visits(1...3), by: one)
        try rig.fold(visits(4...6), by: two, on: other)
        try rig.fold(visits(1...7), by: one)
        // Nothing new for the session that knows an older row.
        let outcome = try rig.fold(visits(4...6), by: two, on: other)
        #expect(outcome.folded == [rig.target.versionID] && outcome.failures.isEmpty && outcome.parkedCount == 0)
        #expect(try visitors(rig) == 7)
        #expect(try DemoRecount.differences(over: "public.stream", on: rig.connection) == [])
    }

    @Test(arguments: [10, 1020, 2000] as [UInt64])
    func `a sketch of a transaction that was rolled back is forgotten`(count: UInt64) throws {
        let rig = try Rig("rolled back \(count)")
        let fold = BatchFold(slot: 3)
        for first in [1, 2] as [UInt64] {
            try rig.fold(visits(first...count), by: fold)
            fold.begin([rig.target])
            for row in visits(count + 1...count + 10) { row.withUnsafeBytes { fold.add(.analyticsEvents, rows: $0) } }
            try rig.connection.execute("BEGIN; SET LOCAL millrace.slot = 3")
            try fold.apply(batchID: 9, on: rig.connection)
            try rig.connection.execute("ROLLBACK")
        }
        try rig.fold(visits(count...count + 2), by: fold)
        var expected = HyperLogLog()
        expected.insert(
            (1...count + 2).map { user in
                UniqueID(high: 7, low: user).bytes.withUnsafeBytes { HyperLogLog.hash($0) }
            })
        #expect(try sketch(rig) == expected)
    }

    @Test func `a sketch's row that is gone is made again`() throws {
        let rig = try Rig()
        let fold = BatchFold(slot: 3)
        try rig.fold(visits(1...9), by: fold)
        try rig.connection.execute("DELETE FROM projections.demo_visitors")
        try rig.fold(visits(5...9), by: fold)
        #expect(try visitors(rig) == 5)
    }

    @Test func `what a table refuses is parked, and the rest goes in`() throws {
        let rig = try Rig()
        var rows = EventRows()
        func append(_ type: String, _ payload: String, _ number: UInt64) {
            rows.append(
                type, payload, user: 1, createdAt: 1_795_000_000_000_000 + Int64(number),
                id: UniqueID(high: 1, low: number))
        }
        append("order.saved", #"{"id":1,"number":1,"status":"PAID"}"#, 1)
        append("order.saved", #"{"id":1,"number":1,"status":"LOST"}"#, 2)  // no such status
        append("order.saved", #"{"number":1}"#, 3)  // no key
        append("order.saved", #"{"id":2,"number":1,"total":-5}"#, 4)  // CHECK
        append("order.saved", #"{"id":"x","number":1}"#, 5)  // no bigint
        append("order.saved", #"{"id":3,"number":1,"saved_at":"Now"}"#, 6)  // depends on the clock
        append("order.saved", #"{"id":4,"number":"many"}"#, 7)  // by_day and visitors: no number
        append("order.saved", #"{"id":5,"number":1,"tags":{"note":"longer than twenty characters"}}"#, 8)
        append("order.saved", #"{"id":6,"number":1}"#, 9)
        let outcome = try rig.fold(rows.rows)
        #expect(outcome.folded == [rig.target.versionID])
        let parked = try rig.connection.execute(
            """
            SELECT concat_ws(' ', fold, code, sqlstate, constraint_name, right(event_id::text, 1))
            FROM projections.parked
            ORDER BY right(event_id::text, 1), fold
            """)
        let found = (0..<parked.rowCount).map { parked.string($0, 0) }
        #expect(
            found == [
                "orders database 22P02 2", "orders missing_key 3", "orders database 23514 demo_orders_total_check 4",
                "orders database 22P02 5", "orders relative_time 6", "by_day database 22P02 7",
                "visitors database 22P02 7", "orders database 22001 8",
            ])
        #expect(outcome.parkedCount == found.count)
        #expect(try rig.count("projections.demo_orders") == 3)
        #expect(try rig.count("projections.demo_orders", where: "id = 1 AND status = 'PAID'") == 1)
        #expect(try rig.connection.execute("SELECT sum(n) FROM projections.demo_by_day").int(0, 0) == 8)
    }

    @Test func `long numbers are parked, also what is counted by them, and a row that was not read`() throws {
        let rig = try Rig()
        var rows = EventRows()
        func append(_ type: String, _ payload: String?, _ number: UInt64) {
            rows.append(
                type, payload, user: 1, createdAt: 1_795_000_000_000_000 + Int64(number),
                id: UniqueID(high: 1, low: number))
        }
        append("order.saved", #"{"id":1,"number":1e500}"#, 1)
        append("order.saved", #"{"id":1e500,"number":1}"#, 2)
        append("order.saved", nil, 3)
        append("page.viewed", nil, 4)
        append("order.saved", #"{"id":2,"number":1,"other":1e500}"#, 5)
        let fold = BatchFold(slot: 3)
        try rig.fold(rows.rows, by: fold, isStored: false)
        let parked = try rig.connection.execute(
            "SELECT DISTINCT right(event_id::text, 1) || ' ' || code FROM projections.parked ORDER BY 1")
        #expect(
            (0..<parked.rowCount).map { parked.string($0, 0) } == [
                "1 long_numbers", "2 long_numbers", "3 row_too_large", "4 row_too_large",
            ])
        #expect(fold.unread.examples.map(\.low) == [3, 4])
        #expect(try rig.count("projections.demo_orders", where: "id = 2") == 1)
    }

    @Test func `rows that make more than a message goes in several, and sum up the same`() throws {
        let rig = try Rig()
        var rows = EventRows()
        let text = String(repeating: "x", count: 1 << 20)
        for number in 1...11 as ClosedRange<UInt64> {
            rows.append(
                "line.added", #"{"id":\#(number),"text":"\#(text)"}"#, user: 1, createdAt: 1_795_000_000_000_000,
                id: UniqueID(high: 1, low: number))
        }
        let fold = BatchFold(slot: 3)
        try rig.fold(rows.rows, by: fold)
        #expect(fold.byteCount > 11 << 20)
        #expect(try rig.count("projections.demo_lines") == 11)
    }

    @Test func `a version whose table is gone is left out, the transaction lives on`() throws {
        let rig = try Rig()
        try rig.connection.execute("DROP TABLE projections.demo_lines")
        var generator = SeededGenerator(seed: 5)
        let outcome = try rig.fold(EventRows.random(50, using: &generator).rows)
        #expect(outcome.folded == [] && outcome.failures.map(\.versionID) == [rig.target.versionID])
        #expect(try rig.count("public.stream") == 50)
        #expect(try rig.count("projections.demo_top_users") == 0)
    }

    @Test(arguments: [
        ("-62135596800000000", "month"), ("951782399000000", "month"), ("951782400000000", "month"),
        ("1709164800000000", "month"), ("1709251199999999", "month"), ("4107542400000000", "month"),
        ("1795000000123456", "month"), ("-1", "month"),
    ])
    func `a month's bucket starts where PostgreSQL says`(microseconds: String, unit: String) throws {
        let rig = try Rig("bucket \(microseconds)")
        var rows = EventRows()
        rows.append(
            "page.viewed", #"{"number":1}"#, user: 1, createdAt: try #require(Int64(microseconds)),
            id: UniqueID(high: 1, low: 1))
        try rig.fold(rows.rows)
        #expect(
            try rig.count(
                "projections.demo_visitors AS v, public.stream AS s",
                where: "v.bucket = date_trunc('month', s.created_at, 'UTC')") == 1)
    }
}
