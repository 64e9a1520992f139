internal import MillracePostgres

/// Copies the sketches of a table that has each in one row into a table that has them in chunks. In a transaction during
/// which nobody writes either; blocks.
struct SketchCarryOver {
    /// Up to 64 KiB each.
    private static let rowsAtOnce = 16
    private static let fetch = "FETCH \(rowsAtOnce) FROM whole_sketches"

    let connection: PostgresConnection
    let timeout: Duration

    /// `columns`: the key's but for the chunk, as the new table names them, and their values out of a row `o` of the old one.
    /// `condition`: of rows that are copied. Throws XX001 when a sketch can't be read.
    func copy(
        from old: String, to new: String, columns: [(name: String, value: String)], where condition: String = "true"
    ) throws(PostgresError) {
        let insertion = """
            INSERT INTO \(new) (\(columns.map(\.name).joined(separator: ", ")), chunk, sketch)
            SELECT \(columns.map(\.value).joined(separator: ", ")), k.new_chunk::smallint, k.new_sketch
            FROM unnest($1::text[], $2::int4[], $3::bytea[]) AS k (place, new_chunk, new_sketch)
            JOIN \(old) AS o ON (o.ctid = k.place::tid)
            """
        try connection.execute(
            "DECLARE whole_sketches NO SCROLL CURSOR FOR SELECT ctid::text, sketch FROM \(old) WHERE \(condition)",
            timeout: timeout)
        var isLast = false
        while !isLast {
            let rows = try connection.query(Self.fetch, answersBinary: true, timeout: timeout)
            isLast = rows.rowCount < Self.rowsAtOnce
            var (places, chunks, sketches) = (BinaryArray(.text), BinaryArray(.int4), BinaryArray(.bytea))
            for row in 0..<rows.rowCount {
                guard let sketch = rows.withBytes(row, 1, { $0.flatMap { HyperLogLog(bytes: $0) } }) else {
                    throw PostgresError(
                        code: .serverError, sqlState: .dataCorrupted,
                        message: "\(old) holds a sketch that can't be read")
                }
                for (number, bytes) in sketch.chunks {
                    places.append(rows.string(row, 0))
                    chunks.append(integer: Int32(truncatingIfNeeded: number))
                    bytes.withUnsafeBytes { sketches.append($0) }
                }
            }
            try connection.query(
                insertion, parameters: [places, chunks, sketches].map(\.parameter), timeout: timeout)
        }
        try connection.execute("CLOSE whole_sketches")
    }
}
