import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Testing

@testable import MillraceProjections
@testable import MillraceWriter

/// The encoder says where the fields of its rows are, and folds take its word for it.
@Suite(.onOwnThreads) struct EncodedFieldsTests {
    /// A database with packs that fold both tables.
    private struct Rig {
        let database: TestDatabase
        let connection: PostgresConnection
        let targets: [FoldTarget]
        let fold = BatchFold(slot: 3)

        init(_ name: String) throws {
            database = try TestCluster.shared.database(name)
            connection = try database.connect()
            targets = try [PackLoader().load("analytics"), PackLoader().load("conversations"), DemoPack.load()].map {
                [connection] in try PackFixture.install($0, on: connection)
            }
        }

        func apply() throws {
            try connection.execute("BEGIN; SET LOCAL millrace.slot = 3")
            let outcome = try fold.apply(batchID: 9, on: connection)
            try connection.execute("COMMIT")
            #expect(outcome.failures.isEmpty && outcome.folded == targets.map(\.versionID))
        }

        /// Of each table of the packs, how many rows it has and the hash of all of them.
        func contents() throws -> [String: [String?]] {
            var contents: [String: [String?]] = [:]
            for table in targets.flatMap(\.tables.keys) {
                let rows = try connection.execute(
                    "SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM projections.\(table) AS t")
                contents[table] = [rows.string(0, 0), rows.string(0, 1)]
            }
            let parked = try connection.execute(
                """
                SELECT count(*), md5(string_agg(code || fold || event_id, ',' ORDER BY code, fold, event_id))
                FROM projections.parked
                """)
            contents["parked"] = [parked.string(0, 0), parked.string(0, 1)]
            return contents
        }
    }

    /// Lines with and without each optional field, escaped texts and empty ones, a few longer than a block of the encoder
    /// or a chunk of COPY.
    private struct Lines {
        var generator: SeededGenerator

        mutating func pick<Value>(_ values: [Value]) -> Value {
            values[Int.random(in: values.indices, using: &generator)]
        }

        /// `day`: in November 2026, or one of three months when nil.
        mutating func event(_ number: Int, day: String?) -> String {
            var members = [
                #""event_type":"\#(pick(["order.saved", "order.deleted", "line.added", "page.viewed", "caf\\u00e9"]))""#
            ]
            let filler = pick([0, 0, 0, 0, 0, 3, 200, number % 50 == 0 ? 300_000 : 70_000 / (number % 20 + 1)])
            members.append(
                #""payload":{"id":\#(pick(["1", "\"2\"", "null", "3e0"])),"number":\#(pick(["1", "1.0", "2.5"])),"#
                    + #""total":\#(pick(["1", "2.5", "1e2"])),"status":\#(pick(["\"PAID\"", "null", "\"\\u0041\""])),"#
                    + #""saved_at":"2026-11-10T00:00:00Z","text":"\#(String(repeating: "x", count: filler))"}"#)
            let user = String(format(UInt64.random(in: 1...30, using: &generator)))
            members += pick([[], [#""user_id":null"#], [#""user_id":"843d440a-a7a7-45ee-96df-\#(user)""#]])
            let date = day ?? pick(["2026-10-31", "2026-11-01", "2026-12-24", "1969-12-31"])
            let time = day == nil ? Int.random(in: 10...59, using: &generator) : 10 + number / 100
            members.append(#""created_at":"\#(date)T10:\#(time):00Z""#)
            let id = #""id":"\#(UniqueID(high: generator.next(), low: generator.next()))""#
            if day == nil, pick([true, false]) { members.append(id) }
            // An id without any time: its month is looked up.
            if day == nil, number % 13 == 0 { members.removeAll { $0.hasPrefix(#""created_at""#) } }
            return "{\(members.shuffled(using: &generator).joined(separator: " ,"))}"
        }

        mutating func save(_ number: Int) -> String {
            let response = String(repeating: "y", count: pick([0, 1, 100, number % 40 == 0 ? 280_000 : 5000]))
            let user = String(format(UInt64(number % 9)))
            return #"{"conversation_id":"c\#(number % 7)","question":"q\#(number)\\n\u00e9","response":"\#(response)","#
                + #""user_id":"843d440a-a7a7-45ee-96df-\#(user)","timestamp":"2026-1\#(pick([0, 1, 2]))-02T03:04:05Z","#
                + #""source":"\#(pick(["", "web"]))","metadata":\#(pick(["{}", #"{"a":[1,{"b":null}]}"#]))}"#
        }

        /// As 12 digits.
        private func format(_ number: UInt64) -> String { String("\(1_000_000_000_000 + number)".dropFirst()) }
    }

    private static func encode(_ lines: [String], kind: RecordKind, with encoder: BatchEncoder) throws {
        let bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
        let record = Record(
            kind: kind, tenant: 0, receivedAt: Timestamp(microseconds: 1_795_176_000_123_456), count: lines.count,
            bytes: bytes)
        encoder.reset(batchID: 7, spoolID: UniqueID(high: 1, low: 2))
        try (bytes + [UInt8](repeating: 10, count: 64)).withUnsafeBytes {
            try encoder.add(
                RecordHeader(of: record, firstSequence: 1),
                payload: UnsafeRawBufferPointer(rebasing: $0[..<bytes.count])
            )
        }
        #expect(encoder.rejections.isEmpty)
        try encoder.sort()
    }

    /// Where a decoder finds the fields of `rows`, which it reads one by one.
    private static func decodedFields(_ rows: UnsafeRawBufferPointer, of table: PartitionedTable) -> [UInt32] {
        let layout = RowLayout.of(table)
        var fields = [UInt32](repeating: 0, count: layout.columnCount + 1)
        var all: [UInt32] = []
        var offset = 0
        while offset < rows.count, let start = rows.baseAddress {
            fields.withUnsafeMutableBufferPointer {
                if let found = $0.baseAddress { layout.findFields(of: start + offset, into: found) }
            }
            all += fields
            offset += Int(fields[layout.columnCount])
        }
        return all
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `folds of rows whose fields the encoder gives equal those of rows that are decoded`(seed: UInt64) throws {
        let (given, decoded) = (try Rig("given \(seed)"), try Rig("decoded \(seed)"))
        var lines = Lines(generator: SeededGenerator(seed: seed))
        let encoder = BatchEncoder()
        var leafCount = 0
        let batches: [(RecordKind, [String])] = [
            (.event, (1...400).map { lines.event($0, day: nil) }),
            // In order, all of a month: rows go from where they are.
            (.event, (1...400).map { lines.event($0, day: "2026-11-05") }),
            (.conversation, (1...200).map { lines.save($0) }),
        ]
        for (kind, batch) in batches {
            try Self.encode(batch, kind: kind, with: encoder)
            for rig in [given, decoded] { rig.fold.begin(rig.targets) }
            for leaf in encoder.leaves {
                let table = leaf.key.table
                leafCount += 1
                leaf.forEachRow { _, row in
                    #expect(Array(row.fields) == Self.decodedFields(row.bytes, of: table), "seed \(seed)")
                }
                leaf.withChunks { chunk in
                    #expect(Array(chunk.fields) == Self.decodedFields(chunk.bytes, of: table), "seed \(seed)")
                    given.fold.add(table, chunk)
                    decoded.fold.add(table, rows: chunk.bytes)
                }
            }
            for rig in [given, decoded] { try rig.apply() }
        }
        #expect(leafCount >= 9)
        let contents = try given.contents()
        #expect(try decoded.contents() == contents, "seed \(seed)")
        #expect(contents.count { $0.value[0] != "0" } > 8, "little was folded: \(contents)")
    }
}
