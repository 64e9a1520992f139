import MillraceEvent
import MillracePostgres
import MillraceProjections
import MillraceTestSupport
import MillraceWriter
import Testing

private let given = "0a1b2c3d-4e5f-4678-9abc-def012345678"
private let spool = UniqueID(high: 0x1122_3344_5566_4788, low: 0x99AA_BBCC_DDEE_FF00)
private let received = Timestamp(microseconds: 1_795_176_000_123_456)

@Suite struct EncodingTests {
    let encoder = BatchEncoder()

    /// Starts a batch and adds one record of `lines`.
    private func encode(
        _ lines: [String], kind: RecordKind = .event, tenant: Int32 = 0, firstSequence: UInt64 = 100,
        spool: UniqueID = spool
    ) throws {
        encoder.reset(batchID: 42, spoolID: spool)
        try add(lines, kind: kind, tenant: tenant, firstSequence: firstSequence)
    }

    private func add(
        _ lines: [String], kind: RecordKind = .event, tenant: Int32 = 0, firstSequence: UInt64, count: Int? = nil
    ) throws {
        let bytes = Array(lines.joined(separator: "\n").utf8) + [10]
        let record = Record(
            kind: kind, tenant: tenant, receivedAt: received, count: count ?? lines.count, bytes: bytes)
        try (bytes + [UInt8](repeating: UInt8(ascii: "\n"), count: 64)).withUnsafeBytes {
            try encoder.add(
                RecordHeader(of: record, firstSequence: firstSequence),
                payload: UnsafeRawBufferPointer(rebasing: $0[..<bytes.count]))
        }
    }

    private func rows(_ leaf: EncodedLeaf, _ range: Range<Int>? = nil) throws -> [[[UInt8]?]] {
        try (range ?? 0..<leaf.count).map { row in
            let decoded = try #require(leaf.withRow(row) { decodeCopyRows($0) })
            return try #require(decoded.first)
        }
    }

    @Test func `an event becomes a row of the leaf of its month`() throws {
        try encode(
            [
                #"{"event_type":"caf\u00e9","id":"\#(given)","user_id":"0A1B2C3D-4E5F-4678-9ABC-DEF012345679","#
                    + #""payload":{"a": 1.50},"created_at":"2026-10-31T23:59:59.999999Z"}"#
            ], tenant: -3)
        let leaf = try #require(encoder.leaves.first)
        #expect(encoder.leaves.count == 1 && leaf.key == .month(.event, year: 2026, month: 10) && leaf.count == 1)
        #expect(
            describe(try rows(leaf)[0], as: "uitujzzi") == [
                given, "-3", "café", "0a1b2c3d-4e5f-4678-9abc-def012345679", #"{"a": 1.50}"#, "1793491199999999",
                "1795176000123456", "42",
            ])
        #expect(encoder.rejections.isEmpty)
    }

    @Test(
        arguments: zip(
            [RecordKind.event, .conversation],
            [
                #"{"event_type":"t","payload":{},"user_id":"\#(given)"}"#,
                #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(given)","metadata":{},"#
                    + #""source":"s"}"#,
            ]))
    func `the encoder writes the columns that the table lists, each as its type is`(kind: RecordKind, line: String)
        throws
    {
        try encode([line], kind: kind)
        let leaf = try #require(encoder.leaves.first)
        let row = try rows(leaf)[0]
        let columns = (kind == .event ? PartitionedTable.analyticsEvents : .conversations).columns
        #expect(row.count == columns.count)
        for (column, value) in zip(columns, row) {
            let value = try #require(value, "\(column) is NULL")
            switch column {
            case "id", "user_id": #expect(value.count == 16, "\(column)")
            case "tenant_id": #expect(value.count == 4)
            case "created_at", "received_at", "batch_id": #expect(value.count == 8, "\(column)")
            case "payload", "metadata": #expect(value == [1] + Array("{}".utf8), "\(column)")
            default: #expect(value.count == 1, "\(column)")
            }
        }
    }

    @Test func `a conversation save becomes a row with its derived id`() throws {
        let line =
            #"{"conversation_id":"c","question":"q\n","response":"","user_id":"\#(given)","metadata":{"b":2},"#
            + #""timestamp":"2026-01-01T00:00:00Z"}"#
        try encode([line], kind: .conversation, tenant: 7)
        let leaf = try #require(encoder.leaves.first)
        #expect(leaf.key == .month(.conversation, year: 2026, month: 1))
        let save = try EventParser().parseConversation(line.utf8, limits: EventLimits(), receivedAt: received)
        #expect(
            describe(try rows(leaf)[0], as: "uitutttjzzi") == [
                save.id(tenant: 7).description, "7", "c", given, "q\n", "", "unknown", #"{"b":2}"#, "1767225600000000",
                "1795176000123456", "42",
            ])
    }

    @Test func `a line that would print as more than any setting allows is rejected, one below it is a row`() throws {
        let numbers = { (count: Int) in
            "[" + [String](repeating: "1e131071", count: count).joined(separator: ",") + "]"
        }
        func line(_ count: Int) -> String { #"{"event_type":"a","payload":{"v":\#(numbers(count))}}"# }
        func save(_ count: Int) -> String {
            #"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(given)","metadata":{"v":\#(numbers(count))}}"#
        }
        // 64 MiB are 512 numbers of 131,072 digits, with nothing around them.
        try encode([line(511), line(512), line(20_000), #"{"event_type":"a","payload":{"v":"\#(numbers(600))"}}"#])
        #expect(encoder.rejections.map(\.sequence) == [101, 102])
        #expect(encoder.rejections.allSatisfy { $0.refusal.code == .payloadTooLarge })
        #expect(encoder.leaves.first?.count == 2)
        try encode([save(511), save(512)], kind: .conversation)
        #expect(encoder.rejections.map(\.sequence) == [101])
    }

    @Test func `rows part by kind, month and knowledge of the time`() throws {
        try encode([
            #"{"event_type":"a"}"#, #"{"event_type":"b","created_at":"2026-12-01T00:00:00Z"}"#,
            #"{"event_type":"c","id":"\#(given)"}"#, #"{"event_type":"d","created_at":"2026-11-30T23:59:59.9Z"}"#,
            #"{"event_type":"e","created_at":"2027-01-31T23:59:59.9Z"}"#, #"{"event_type":"f","user_id":null}"#,
        ])
        try add(
            [#"{"conversation_id":"c","question":"q","response":"r","user_id":"\#(given)"}"#], kind: .conversation,
            firstSequence: 200)
        let sequences = Dictionary(
            uniqueKeysWithValues: encoder.leaves.map { ($0.key, $0.sequences(of: 0..<$0.count)) })
        #expect(
            sequences == [
                .month(.event, year: 2026, month: 11): [100, 103, 105], .month(.event, year: 2026, month: 12): [101],
                .identifiedEvents: [102], .month(.event, year: 2027, month: 1): [104],
                .month(.conversation, year: 2026, month: 11): [200],
            ])
        let identified = try #require(encoder.leaves.first { $0.key == .identifiedEvents })
        let row = describe(try rows(identified)[0], as: "uitujzzi")
        #expect(row[0] == given && row[3] == nil && row[4] == "{}" && row[5] == "1795176000123456")
    }

    @Test func `a replay gives the same ids, another spool others, and no two sequences one`() throws {
        let lines = [String](repeating: #"{"event_type":"a","created_at":1795000000123}"#, count: 2000)
        func ids(_ firstSequence: UInt64, _ spool: UniqueID) throws -> [UniqueID] {
            try encode(lines, firstSequence: firstSequence, spool: spool)
            let leaf = try #require(encoder.leaves.first)
            return try rows(leaf).compactMap { $0[0].flatMap { UniqueID(bytes: $0) } }
        }
        let first = try ids(0, spool)
        #expect(
            first.allSatisfy { $0.high >> 16 == 1_795_000_000_123 && $0.high >> 12 & 0xF == 7 && $0.low >> 62 == 2 })
        #expect(try ids(0, spool) == first)
        #expect(try Array(ids(1000, spool).prefix(1000)) == Array(first.suffix(1000)))
        let other = try ids(0, UniqueID(high: spool.high, low: spool.low + 1))
        #expect(Set(first + other).count == 4000)
        #expect(Set(first.map { $0.low & 0x3FF }).count == 1)
    }

    @Test func `any range of rows can be sent, plain or for the stage`() throws {
        try encode(
            (0..<50).map { #"{"event_type":"e\#($0)","payload":{"n":\#(String(repeating: "9", count: $0 + 1))}}"# })
        let leaf = try #require(encoder.leaves.first)
        let all = try rows(leaf)
        for range in [0..<0, 0..<1, 0..<50, 7..<31, 49..<50, 50..<50] {
            #expect(try rows(leaf, range) == Array(all[range]))
            let staged = try #require(decodeCopyRows(leaf.stagingRows(range)))
            #expect(staged.map { Array($0.dropFirst()) } == Array(all[range]))
            #expect(staged.map { describe($0, as: "i")[0] } == range.map { "\(100 + $0)" })
            #expect(leaf.sequences(of: range) == range.map { UInt64(100 + $0) })
        }
    }

    @Test func `rows of any length go whole, with their sequences, and a batch after them too`() throws {
        // Beyond the blocks of 256 KiB that rows lie in, and beyond what is kept of them from batch to batch.
        let lengths = [10, 300_000, 20, 100_000, 100_000, 100_000, 262_144, 1, 1_000_000, 5] + Array(1...40)
        for months in [[11], [11, 12]] {
            encoder.reset(batchID: 7, spoolID: spool)
            for (index, length) in lengths.enumerated() {
                let text = String(repeating: "x", count: length)
                let day = "2026-\(months[index % months.count])-05T00:00:00Z"
                try add(
                    [#"{"event_type":"e","payload":{"t":"\#(text)"},"created_at":"\#(day)"}"#],
                    firstSequence: UInt64(index))
            }
            try encoder.sort()
            for (number, leaf) in encoder.leaves.enumerated() {
                let wanted = lengths.indices.filter { $0 % months.count == number }
                var sequences: [UInt64] = []
                var texts: [Int] = []
                try leaf.forEachRow { sequence, rows in
                    sequences.append(sequence)
                    let row = try #require(decodeCopyRows(rows.bytes)?.first)
                    texts.append((row[4] ?? []).count - #"_{"t":""}"#.utf8.count)
                }
                #expect(sequences == wanted.map { UInt64($0) })
                #expect(texts == wanted.map { lengths[$0] })
                var sent: [Int] = []
                try leaf.withChunks { chunk in
                    let rows = try #require(decodeCopyRows(chunk.bytes))
                    sent += rows.map { ($0[4] ?? []).count - #"_{"t":""}"#.utf8.count }
                }
                #expect(sent == texts)
            }
        }
    }

    @Test(arguments: [1, 2, 7, 3000])
    func `rows are sent in order of their time, those of one time as they came`(_ count: Int) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let milliseconds = (0..<count).map { _ in Int.random(in: 0..<max(1, count / 2), using: &generator) }
        let filler = String(repeating: "x", count: 100)
        try encode(
            milliseconds.enumerated().map { row, time in
                #"{"event_type":"\#(row) \#(filler)","created_at":\#(1_793_500_000_000 + time * 701_003)}"#
            })
        try encoder.sort()
        let leaf = try #require(encoder.leaves.first)
        var chunks: [Int] = []
        var sent: [[UInt8]] = []
        try leaf.withChunks { chunk in
            let rows = try #require(decodeCopyRows(chunk.bytes))
            chunks.append(rows.count)
            sent += rows.map { $0[2] ?? [] }
        }
        let wanted = (0..<count).sorted { (milliseconds[$0], $0) < (milliseconds[$1], $1) }
        #expect(sent.map { String(decoding: $0, as: UTF8.self) } == wanted.map { "\($0) \(filler)" })
        #expect((chunks.count > 1) == (count == 3000))
        // The rows themselves stay numbered by sequence.
        #expect(leaf.sequences(of: 0..<count) == (0..<count).map { 100 + UInt64($0) })
    }

    @Test func `a payload is taken whole wherever it stands in the line`() throws {
        let payloads = ["{}", #"{"a":{"b":{}}}"#, #"{"a":"}}"}"#, #"{"a":[{}],"b":"\u007d"}"#]
        var lines: [String] = []
        for payload in payloads {
            lines.append(#"{"event_type":"last","payload":\#(payload)}"#)
            lines.append(#"{"event_type":"last", "payload" : \#(payload) } "#)
            lines.append(#"{"payload":\#(payload),"event_type":"first"}"#)
        }
        try encode(lines)
        let leaf = try #require(encoder.leaves.first)
        let found = try rows(leaf).map { String(decoding: ($0[4] ?? []).dropFirst(), as: UTF8.self) }
        #expect(found == payloads.flatMap { [$0, $0, $0] })
        #expect(encoder.rejections.isEmpty)
    }

    /// A blank in front keeps a line from the short way that most clients' lines go.
    @Test func `a line gives the same row by the short way and by the parser`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("short way seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let values = [
            "id": [
                #""\#(given)""#, #""018f0e3c-8f5a-7c3e-9f0e-2d6c1b8e4f70""#, #""0A1B2C3D-4E5F-4678-9ABC-DEF01234567""#,
            ],
            "event_type": [#""page.viewed""#, #""é日本""#, #""a\"b""#, #""\u0061""#, #""}}""#, #""""#, "1"],
            "user_id": [#""\#(given)""#, "null", #""someone""#],
            "created_at": [
                #""2026-11-05T12:34:56.789Z""#, #""2026-10-01T00:00:00+02:00""#, "1793500000000", #""soon""#,
                #""0000-01-01T00:00:00Z""#,
            ],
            "payload": ["{}", #"{"a":{"b":"}"}}"#, #"{"a": [1, {"c": "\"}}"}]}"#, #"{"é":null}"#],
        ]
        var lines: [String] = []
        for _ in 0..<2000 {
            var names = values.keys.sorted().filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
            names.shuffle(using: &random)
            if Bool.random(using: &random) { names = names.filter { $0 != "payload" } + ["payload"] }
            let comma = [",", ", ", " , "].randomElement(using: &random) ?? ""
            let colon = [":", ": "].randomElement(using: &random) ?? ""
            let fields = names.map { name in
                "\"\(name)\"\(colon)\(values[name]?.randomElement(using: &random) ?? "")"
            }
            lines.append("{\(fields.joined(separator: comma))}")
        }
        var found: [[[String?]]] = []
        for blank in ["", " "] {
            try encode(lines.map { blank + $0 })
            found.append(
                try encoder.leaves.flatMap { leaf in
                    try rows(leaf).enumerated().map { row, columns in
                        ["\(leaf.key) \(leaf.sequences(of: row..<row + 1))"] + describe(columns, as: "uitujzzi")
                    }
                } + encoder.rejections.map { ["\($0.sequence) \($0.refusal.code)"] })
        }
        #expect(found[0] == found[1], "seed \(seed)")
        #expect(found[0].count == lines.count)
    }

    @Test func `a line that does not parse any more is rejected alone`() throws {
        try encode([#"{"event_type":"a"}"#, #"{"event_type":""}"#, "", #"{"event_type":"b"}"#, "{\u{0}}"])
        #expect(encoder.rejections.map(\.sequence) == [101, 102, 104])
        #expect(encoder.rejections.map(\.refusal.code) == [.invalidEventType, .invalidJSON, .invalidJSON])
        #expect(encoder.leaves.map { $0.sequences(of: 0..<$0.count) } == [[100, 103]])
        try add([#"{"conversation_id":"c"}"#], firstSequence: 300)
        #expect(encoder.rejections.last?.sequence == 300)
        encoder.reset(batchID: 43, spoolID: spool)
        #expect(encoder.rejections.isEmpty && encoder.leaves.isEmpty)
    }

    @Test func `what intake accepted under wider limits is still encoded`() throws {
        let nested = String(repeating: "[", count: 900) + String(repeating: "]", count: 900)
        let big = String(repeating: "x", count: 1_000_000)
        try encode([
            #"{"event_type":"a","created_at":"0001-01-01T00:00:00Z"}"#,
            #"{"event_type":"a","created_at":"9999-12-31T23:59:59Z"}"#,
            #"{"event_type":"a","payload":{"n":\#(nested),"t":"\#(big)"}}"#,
        ])
        #expect(encoder.rejections.isEmpty)
        #expect(
            Set(encoder.leaves.map(\.key)) == [
                .month(.event, year: 1, month: 1), .month(.event, year: 9999, month: 12),
                .month(.event, year: 2026, month: 11),
            ])
    }

    @Test func `a record whose header does not fit its payload is refused whole`() throws {
        encoder.reset(batchID: 1, spoolID: spool)
        for count in [1, 3] {
            #expect(throws: BatchEncoderError.recordMismatch) {
                try add([#"{"event_type":"a"}"#, #"{"event_type":"b"}"#], firstSequence: 0, count: count)
            }
        }
        #expect(throws: BatchEncoderError.recordMismatch) {
            try add([#"{"event_type":"a"}"#], kind: .refused, firstSequence: 0)
        }
        #expect(encoder.leaves.isEmpty && encoder.rejections.isEmpty)
    }

    @Test func `buffers are reused from batch to batch without mixing rows`() throws {
        for round in 0..<20 {
            let count = [1, 5000, 3, 20_000, 10][round % 5]
            let months = round % 3 + 1
            try encode(
                (0..<count).map {
                    #"{"event_type":"r\#(round)","created_at":"2026-0\#($0 % months + 1)-15T00:00:00Z"}"#
                },
                firstSequence: UInt64(round * 100_000))
            #expect(encoder.leaves.count == min(months, count))
            #expect(encoder.leaves.reduce(0) { $0 + $1.count } == count)
            let leaf = try #require(encoder.leaves.last)
            let last = try rows(leaf, leaf.count - 1..<leaf.count)
            #expect(describe(last[0], as: "uit")[2] == "r\(round)")
        }
    }
}
