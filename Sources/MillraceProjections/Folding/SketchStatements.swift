/// The statements of a unique's table. `$1`, `$2` … are the arrays of the key's columns, then those that are named.
///
/// A row's version is its place and the transaction that wrote it (`ctid`, `xmin`): whoever changes the row, or rolls back,
/// leaves another one or none. Sessions of one slot take turns from `turn` to the end of their transaction; nothing else
/// keeps them from waiting for each other's rows in opposite orders.
struct SketchStatements {
    /// Waits for other sessions that write the slot's rows.
    let turn: String
    /// Number of the key (from 1), the first number that is the same key, and, of that one only, each of its rows: chunk
    /// (smallint), version, sketch; nulls when it has none. Texts that differ may be one value of a column's type.
    let selection: String
    /// Writes rows (chunk int4[], sketch bytea[]) whose versions are these (version text[]); the row's number and version.
    let update: String
    /// Makes rows (chunk int4[], sketch bytea[]); the versions of those that were not there, in their order.
    let insertion: String
    /// Counts the rows (chunk int4[]) that have these versions (version text[]).
    let count: String

    /// `keys`: without slot and chunk. `isChunked`: whether the table has chunks.
    init(table: String, keys: [FoldColumn], slot: Int, isChunked: Bool) {
        let chunk: (name: String, element: ArrayElement) = ("chunk", .int4)
        let sketch: (name: String, element: ArrayElement) = ("sketch", .bytea)
        let version: (name: String, element: ArrayElement) = ("version", .text)
        let columns = keys.map(\.quotedName) + ["slot"] + (isChunked ? ["chunk"] : [])
        let values = keys.map(\.expression) + ["\(slot)::smallint"] + (isChunked ? ["k.chunk::smallint"] : [])
        let match = zip(columns, values).map { "t.\($0) = \($1)" }.joined(separator: " AND ")
        let found = "t.ctid::text || ' ' || t.xmin::text"
        // Which keys are one, before they are looked up.
        let expressions = keys.map(\.expression)
        let named = expressions.enumerated().map { "\($1) AS k\($0)" }.joined(separator: ", ")
        let own = keys.enumerated().map { "t.\($1.quotedName) = k.k\($0)" } + ["t.slot = \(slot)"]
        turn = "SELECT pg_advisory_xact_lock(hashtextextended('millrace sketches \(table) \(slot)', 0))"
        selection = """
            SELECT k.number, k.first, \(isChunked ? "t.chunk" : "0::smallint"), \(found), t.sketch
            FROM (
                SELECT k.number, min(k.number) OVER (PARTITION BY \(expressions.joined(separator: ", "))) AS first, \(named)
                FROM \(keys.unnested(isNumbered: true))
            ) AS k
            LEFT JOIN \(table) AS t ON (k.number = k.first AND \(own.joined(separator: " AND ")))
            """
        update = """
            UPDATE \(table) AS t
            SET sketch = k.sketch
            FROM \(keys.unnested([chunk, sketch, version], isNumbered: true))
            WHERE \(match) AND \(found) = k.version
            RETURNING k.number, \(found)
            """
        insertion = """
            INSERT INTO \(table) AS t (\(columns.joined(separator: ", ")), sketch)
            SELECT \(values.joined(separator: ", ")), k.sketch
            FROM \(keys.unnested([chunk, sketch], isNumbered: true))
            ORDER BY k.number
            ON CONFLICT (\(columns.joined(separator: ", "))) DO NOTHING
            RETURNING \(found)
            """
        count = """
            SELECT count(*)
            FROM \(keys.unnested([chunk, version]))
            JOIN \(table) AS t ON (\(match) AND \(found) = k.version)
            """
    }
}
