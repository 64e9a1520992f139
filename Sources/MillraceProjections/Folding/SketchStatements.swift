/// The statements of a unique's table. `$1`, `$2` … are the arrays of the key's columns, then those that are named.
///
/// A row's version is its place and the transaction that wrote it (`ctid`, `xmin`): whoever changes the row, or rolls back,
/// leaves another one or none.
struct SketchStatements {
    /// Takes hold of the rows: number of the key (from 1), ctid, xmin, sketch.
    let selection: String
    /// Makes the rows of the keys that are missing; the last parameter is an empty sketch.
    let insertion: String
    /// Writes sketches (bytea[]); answers as `knownUpdate`.
    let update: String
    /// Writes sketches (bytea[]) where the rows' versions are these (ctid and xmin, text[] each); number of the key, ctid and
    /// xmin of the rows that are now.
    let knownUpdate: String
    /// Counts the keys whose rows have these versions (ctid and xmin, text[] each).
    let knownCount: String

    /// `keys`: without the slot.
    init(table: String, keys: [FoldColumn], slot: Int) {
        let names = keys.map(\.quotedName).joined(separator: ", ")
        let match =
            (keys.map { "t.\($0.quotedName) = \($0.expression)" } + ["t.slot = \(slot)"])
            .joined(separator: " AND ")
        let versions: [(name: String, element: ArrayElement)] = [("at", .text), ("writer", .text)]
        let isKnown = "t.ctid = k.at::tid AND t.xmin = k.writer::xid"
        let version = "t.ctid::text, t.xmin::text"
        selection = """
            SELECT k.number, \(version), t.sketch
            FROM \(keys.unnested(isNumbered: true))
            JOIN \(table) AS t ON (\(match))
            ORDER BY \(keys.map { "t.\($0.quotedName)" }.joined(separator: ", "))
            FOR UPDATE OF t
            """
        insertion = """
            INSERT INTO \(table) (\(names), slot, sketch)
            SELECT DISTINCT \(keys.map(\.expression).joined(separator: ", ")), \(slot)::smallint, \
            $\(keys.count + 1)::bytea
            FROM \(keys.unnested())
            ORDER BY \((1...keys.count).map(String.init).joined(separator: ", "))
            ON CONFLICT (\(names), slot) DO NOTHING
            """
        update = """
            UPDATE \(table) AS t
            SET sketch = k.sketch
            FROM \(keys.unnested([("sketch", .bytea)], isNumbered: true))
            WHERE \(match)
            RETURNING k.number, \(version)
            """
        knownUpdate = """
            UPDATE \(table) AS t
            SET sketch = k.sketch
            FROM \(keys.unnested([("sketch", .bytea)] + versions, isNumbered: true))
            WHERE \(match) AND \(isKnown)
            RETURNING k.number, \(version)
            """
        knownCount = """
            SELECT count(*)
            FROM \(keys.unnested(versions))
            JOIN \(table) AS t ON (\(match) AND \(isKnown))
            """
    }
}
