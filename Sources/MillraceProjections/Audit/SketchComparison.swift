import MillracePostgres

/// Compares the sketches of a live table with those of a recount, slots merged, one key at a time.
struct SketchComparison {
    let connection: PostgresConnection
    /// Where the recount's table is.
    let schema: String
    /// Differences that are kept.
    let limit: Int
    let timeout: Duration

    private struct Sketches {
        var key: [UInt8] = []
        var found: HyperLogLog?
        var expected: HyperLogLog?
        var isDamaged = false
    }

    /// `isChunked`: whether the tables have the sketches in chunks.
    func compare(
        _ table: String, keys: [String], isChunked: Bool, where condition: String?
    ) throws(PostgresError) -> ProjectionRecount.Table {
        let filter = condition.map { " WHERE \($0)" } ?? ""
        let key = keys.map { "'\($0)=' || \(TableComparison.quoted($0))::text" }.joined(separator: ", ")
        func side(_ schema: String, isLive: Bool) -> String {
            """
            SELECT concat_ws(', ', \(key)) AS key, \(isLive) AS is_live, \(isChunked ? "chunk" : "NULL::smallint"), sketch
            FROM \(schema).\(table)\(filter)
            """
        }
        var result = ProjectionRecount.Table(table: table, differenceCount: 0, differences: [])
        var current = Sketches()
        try connection.copyOut(
            """
            COPY (
                \(side(PackVersion.liveSchema, isLive: true))
                UNION ALL
                \(side(schema, isLive: false))
                ORDER BY key
            ) TO STDOUT (FORMAT binary)
            """, timeout: timeout
        ) { row in
            let fields = Self.fields(row)
            guard fields.count == 4 else { return true }
            if !fields[0].elementsEqual(current.key) {
                compare(current, &result)
                current = Sketches(key: Array(fields[0]))
            }
            let side = fields[1].first == 1 ? \Sketches.found : \Sketches.expected
            var sketch = current[keyPath: side] ?? HyperLogLog()
            current[keyPath: side] = nil
            let chunk = fields[2].isEmpty ? nil : Int(Int16(bigEndian: fields[2].loadUnaligned(as: Int16.self)))
            if !sketch.merge(row: fields[3], chunk: chunk) { current.isDamaged = true }
            current[keyPath: side] = sketch
            return true
        }
        compare(current, &result)
        return result
    }

    private func compare(_ sketches: Sketches, _ result: inout ProjectionRecount.Table) {
        guard sketches.isDamaged || sketches.found != sketches.expected else { return }
        result.differenceCount += 1
        guard result.differences.count < limit else { return }
        result.differences.append(
            ProjectionRecount.Difference(
                key: String(decoding: sketches.key, as: UTF8.self),
                found: sketches.isDamaged ? "a sketch that can't be read" : Self.text(sketches.found),
                expected: Self.text(sketches.expected)))
    }

    private static func text(_ sketch: HyperLogLog?) -> String {
        sketch.map { "about \($0.count) distinct" } ?? "no row"
    }

    /// Of a row of binary COPY; an absent value is empty.
    private static func fields(_ row: UnsafeRawBufferPointer) -> [UnsafeRawBufferPointer] {
        var fields: [UnsafeRawBufferPointer] = []
        var at = 2
        while at + 4 <= row.count {
            let length = max(0, Int(Int32(bigEndian: row.loadUnaligned(fromByteOffset: at, as: Int32.self))))
            guard at + 4 + length <= row.count else { break }
            fields.append(UnsafeRawBufferPointer(rebasing: row[at + 4..<at + 4 + length]))
            at += 4 + length
        }
        return fields
    }
}
