internal import MillracePostgres

/// The statements of a unique's table. `$1`, `$2` … are the arrays of the key's columns, then those that are named.
///
/// A row's version is its place and the transaction that wrote it (`ctid`, `xmin`): whoever changes the row, or rolls back,
/// leaves another one or none. Sessions of one slot take turns from `turn` to the end of their transaction; nothing else
/// keeps them from waiting for each other's rows in opposite orders.
struct SketchStatements {
    /// Waits until no other session writes the slot's rows.
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

/// Rows of sketches that one statement is about.
struct SketchRows {
    /// Of each: which of the sender's sketches, and the row's number there.
    private(set) var places: [(sketch: Int, row: Int)] = []
    /// Of each: the tuple of its key.
    private(set) var tuples: [Int] = []
    private var chunks = BinaryArray(.int4)
    private var sketches = BinaryArray(.bytea)
    private var versions = BinaryArray(.text)
    private let hasSketches: Bool
    private let hasVersions: Bool

    init(hasSketches: Bool, hasVersions: Bool) {
        self.hasSketches = hasSketches
        self.hasVersions = hasVersions
    }

    mutating func append(_ sketch: Int, row: Int, of stored: StoredSketch, tuple: Int) {
        places.append((sketch, row))
        tuples.append(tuple)
        chunks.append(integer: Int32(truncatingIfNeeded: row))
        if hasSketches { stored.bytes(ofRow: row).withUnsafeBytes { sketches.append($0) } }
        if hasVersions { versions.append(stored.versions[row]) }
    }

    /// The arrays after those of the keys: chunk, sketch, version, as far as there are any.
    var parameters: [PostgresParameter?] {
        [chunks.parameter] + (hasSketches ? [sketches.parameter] : []) + (hasVersions ? [versions.parameter] : [])
    }
}
