internal import MillracePostgres

/// The statements by which the rows of one fold go with those of others.
///
/// A row is dead from the first death of a row that it points to after its own last event; deaths and events are compared
/// by (`event_at`, `event_id`). `deleted_at` is the only column that changes. An event that deletes a row itself leaves its
/// pointers null, so such rows are let be.
struct CascadeStatements {
    /// A statement on some of a fold's tuples: `$1`, `$2` … are the arrays of these columns.
    struct OnTuples {
        var sql: String
        /// By their numbers, ascending.
        var columns: [(number: Int, element: ArrayElement)]
    }

    /// Writes down the deaths of a batch's deleting events; nil where nothing goes with the rows.
    private(set) var deaths: OnTuples?
    /// Writes down whom rows point to, and when; nil unless the rows go with others, and others with them, and where the
    /// rows' history says so.
    private(set) var moves: OnTuples?
    /// Makes the derived deaths of rows that these events concern what they should be; nil unless the rows go with others,
    /// and others with them.
    private(set) var derivations: OnTuples?
    /// The same for rows that ever pointed to those that are dying; one for each cascade.
    private(set) var derivationsOfDying: [String] = []
    /// For `PatchRevision`; nil unless the rows go with others and have patches.
    private(set) var revision: (pointing: [String], settlement: String)?
    /// Settles a batch's rows; nil where they go with none.
    private(set) var own: OnTuples?
    /// Settles the rows that point to those that are dying; one for each cascade.
    private(set) var ofDying: [String] = []
    /// The table of those that are dying, with its schema; nil where nothing goes with the rows.
    private(set) var dying: String?

    init(_ program: FoldProgram, of target: FoldTarget) {
        let sql = CascadeSQL(program, of: target)
        func onTuples(_ text: String, _ columns: [Int]) -> OnTuples {
            OnTuples(sql: text, columns: columns.map { ($0, program.columns[$0].element) })
        }
        let key = Array(0..<program.keyCount)
        if target.pack.isParent(program.fold) {
            dying = sql.dying
            deaths = onTuples(sql.recordDeaths, key + sql.event)
            if !program.fold.cascades.isEmpty {
                if !program.fold.hasPatches { moves = onTuples(sql.recordMoves, sql.moveColumns) }
                derivations =
                    program.fold.hasPatches
                    ? onTuples(sql.derivations(of: sql.patched), key)
                    : onTuples(sql.derivations(of: sql.concerned), sql.moveColumns)
                derivationsOfDying = sql.parents.map { sql.derivations(of: sql.everPointing(to: $0)) }
            }
        }
        guard !program.fold.cascades.isEmpty else { return }
        own = onTuples(sql.settlement(of: sql.ownRows), key)
        ofDying = sql.parents.map { sql.settlement(of: sql.pointing(to: $0)) }
        guard program.fold.hasPatches else { return }
        revision = (sql.parents.map(sql.eventsPointing(to:)), sql.settlement(of: sql.rowsAtPlaces))
    }
}

/// Writes them.
private struct CascadeSQL {
    /// Rows that a fold's rows go with.
    struct Parent {
        var cascade: Cascade
        var deaths: String
        var dying: String

        func matches(_ one: String, _ row: String) -> String { cascade.matches(one, row) }
    }

    let parents: [Parent]
    let dying: String
    /// Numbers of the columns of the event: time, id.
    let event: [Int]
    /// Numbers of the columns of `recordMoves`: the pointers last.
    let moveColumns: [Int]

    private let columns: [FoldColumn]
    private let keys: [String]
    private let pointers: [String]
    private let table: String
    private let deaths: String
    /// A table, or what stands for it: key, event_at, event_id and pointers.
    private let moves: String
    private let history: String

    init(_ program: FoldProgram, of target: FoldTarget) {
        let (fold, keyCount) = (program.fold, program.keyCount)
        func quoted(_ table: String) -> String { "\"\(target.schema)\".\"\(table)\"" }
        columns = program.columns
        keys = columns[..<keyCount].map(\.quotedName)
        pointers = fold.pointers
        table = quoted(fold.table)
        deaths = quoted(CascadeTables.deaths(of: fold.table))
        dying = quoted(CascadeTables.dying(of: fold.table))
        history = quoted(HistoryTables.events(of: fold.table))
        moves =
            fold.hasPatches
            ? "(SELECT * FROM \(history) WHERE NOT millrace_void)" : quoted(CascadeTables.moves(of: fold.table))
        parents = fold.cascades.map { cascade in
            let parent = target.pack.parentTable(of: cascade)
            return Parent(
                cascade: cascade, deaths: quoted(CascadeTables.deaths(of: parent)),
                dying: quoted(CascadeTables.dying(of: parent)))
        }
        event = ["event_at", "event_id"].compactMap { name in program.columns.firstIndex { $0.name == name } }
        let named = fold.pointers.compactMap { name in program.columns.firstIndex { $0.name == name } }
        // An entity's expressions look at the column that says whether the event deletes, which follows the event's.
        moveColumns = Array(0..<keyCount + 3) + named.sorted()
    }

    private func keyList(_ alias: String? = nil) -> String {
        keys.map { key in alias.map { "\($0).\(key)" } ?? key }.joined(separator: ", ")
    }

    private func same(_ one: String, _ two: String) -> String {
        keys.map { "\(one).\($0) = \(two).\($0)" }.joined(separator: " AND ")
    }

    private func isAfter(_ one: String, _ two: String) -> String {
        "(\(one).event_at, \(one).event_id) > (\(two).event_at, \(two).event_id)"
    }

    /// The tuples' columns under their names.
    private func rows(_ numbers: [Int]) -> String {
        let arrays = numbers.enumerated().map { "$\($0 + 1)::\(columns[$1].element.arrayName)" }.joined(separator: ", ")
        let names = numbers.map { "c\($0)" }.joined(separator: ", ")
        let values = numbers.map { "\(columns[$0].expression) AS \(columns[$0].quotedName)" }.joined(separator: ", ")
        return "(SELECT \(values) FROM unnest(\(arrays)) AS k (\(names)))"
    }

    // MARK: - Parents

    var recordDeaths: String {
        """
        WITH fresh AS (
            INSERT INTO \(deaths) AS d (\(keyList()), event_at, event_id, is_derived)
            SELECT DISTINCT \(keyList("e")), e.event_at, e.event_id, false
            FROM \(rows(Array(0..<keys.count) + event)) AS e
            ORDER BY \(keyList("e"))
            ON CONFLICT (\(keyList()), event_at, event_id) DO UPDATE
            SET is_derived = false
            WHERE d.is_derived
            RETURNING \(keyList())
        )
        INSERT INTO \(dying) (\(keyList()))
        SELECT DISTINCT \(keyList())
        FROM fresh
        ON CONFLICT DO NOTHING
        """
    }

    // MARK: - Between

    var recordMoves: String {
        let list = "\(keyList()), event_at, event_id, \(pointers.map { "\"\($0)\"" }.joined(separator: ", "))"
        return """
            INSERT INTO \(moves) (\(list))
            SELECT \(list)
            FROM \(rows(moveColumns)) AS e
            ORDER BY \(keyList()), event_at, event_id
            ON CONFLICT DO NOTHING
            """
    }

    /// Keys of a batch's rows whose derived deaths an event may have changed: there is a death after it.
    var concerned: String {
        let found = parents.map {
            "EXISTS (SELECT FROM \($0.deaths) AS d WHERE \($0.matches("d", "e")) AND \(isAfter("d", "e")))"
        }
        return """
            SELECT DISTINCT \(keyList("e"))
            FROM \(rows(moveColumns)) AS e
            WHERE \(found.joined(separator: " OR "))
                OR EXISTS (SELECT FROM \(deaths) AS d WHERE \(same("d", "e")) AND \(isAfter("d", "e")) AND d.is_derived)
            """
    }

    /// The same of rows with patches, by their keys: a patch changes what pointed to a dead row after it.
    var patched: String {
        let found = parents.map {
            "EXISTS (SELECT FROM \(moves) AS m JOIN \($0.deaths) AS d ON (\($0.matches("d", "m"))) WHERE \(same("m", "e")))"
        }
        return """
            SELECT DISTINCT \(keyList("e"))
            FROM \(rows(Array(0..<keys.count))) AS e
            WHERE \(found.joined(separator: " OR "))
                OR EXISTS (SELECT FROM \(deaths) AS d WHERE \(same("d", "e")) AND d.is_derived)
            """
    }

    /// Of rows with patches: places of their events.
    func eventsPointing(to parent: Parent) -> String {
        """
        SELECT h.ctid::text
        FROM \(parent.dying) AS q
        JOIN \(history) AS h ON (\(parent.matches("q", "h")) AND NOT h.millrace_void)
        """
    }

    func everPointing(to parent: Parent) -> String {
        """
        SELECT DISTINCT \(keyList("m"))
        FROM \(parent.dying) AS q
        JOIN \(moves) AS m ON (\(parent.matches("q", "m")))
        """
    }

    /// `keys`: a query for them.
    func derivations(of keys: String) -> String {
        let wanted = parents.map { parent in
            """
            SELECT \(keyList("s")), d.event_at, d.event_id
            FROM spans AS s
            JOIN \(parent.deaths) AS d
                ON (\(parent.matches("d", "s")) AND \(isAfter("d", "s"))
                    AND (s.next_at IS NULL OR (d.event_at, d.event_id) < (s.next_at, s.next_id)))
            """
        }
        return """
            WITH concerned AS (
                \(keys)
            ), spans AS (
                SELECT m.*, lead(m.event_at) OVER later AS next_at, lead(m.event_id) OVER later AS next_id
                FROM concerned AS c
                JOIN \(moves) AS m ON (\(same("m", "c")))
                WINDOW later AS (PARTITION BY \(keyList("m")) ORDER BY m.event_at, m.event_id)
            ), wanted AS (
                \(wanted.joined(separator: "\nUNION\n"))
            ), stale AS (
                -- Not with NOT EXISTS: nobody knows how many these are, and one by one would be too many.
                SELECT \(keyList("d")), d.event_at, d.event_id
                FROM concerned AS c
                JOIN \(deaths) AS d ON (\(same("d", "c")) AND d.is_derived)
                EXCEPT
                SELECT \(keyList()), event_at, event_id
                FROM wanted
            ), gone AS (
                DELETE FROM \(deaths) AS d
                USING stale AS s
                WHERE \(same("d", "s")) AND d.event_at = s.event_at AND d.event_id = s.event_id
                RETURNING \(keyList("d"))
            ), fresh AS (
                INSERT INTO \(deaths) (\(keyList()), event_at, event_id, is_derived)
                SELECT \(keyList()), event_at, event_id, true
                FROM wanted
                ON CONFLICT DO NOTHING
                RETURNING \(keyList())
            )
            INSERT INTO \(dying) (\(keyList()))
            SELECT \(keyList()) FROM gone UNION SELECT \(keyList()) FROM fresh
            ON CONFLICT DO NOTHING
            """
    }

    // MARK: - Children

    /// A batch's rows, as the table has them; none as long as nothing has died.
    var ownRows: String {
        let deaths = parents.map { "(SELECT EXISTS (SELECT FROM \($0.deaths)))" }.joined(separator: " OR ")
        return """
            \(rows(Array(0..<keys.count))) AS e
            JOIN \(table) AS s ON (\(same("s", "e")))
            WHERE (\(deaths))
            """
    }

    /// Of entities at places ($1).
    var rowsAtPlaces: String {
        """
        unnest($1::text[]) AS p (millrace_place)
        JOIN \(history) AS h ON h.ctid = p.millrace_place::tid
        JOIN \(table) AS s ON (\(same("s", "h")))
        WHERE true
        """
    }

    func pointing(to parent: Parent) -> String {
        """
        \(parent.dying) AS q
        JOIN \(table) AS s ON (\(parent.matches("q", "s")))
        WHERE true
        """
    }

    /// `rows`: from where, as `s`, with their condition.
    func settlement(of rows: String) -> String {
        let deaths = parents.map { parent in
            """
            (
                SELECT d.event_at
                FROM \(parent.deaths) AS d
                WHERE \(parent.matches("d", "s")) AND \(isAfter("d", "s"))
                ORDER BY d.event_at, d.event_id
                LIMIT 1
            )
            """
        }
        let points = parents.map { parent in
            "(\(parent.cascade.links.map { "s.\"\($0.column)\" IS NOT NULL" }.joined(separator: " AND ")))"
        }
        return """
            UPDATE \(table) AS t
            SET deleted_at = n.death
            FROM (
                SELECT \(keyList("s")), LEAST(\(deaths.joined(separator: ", "))) AS death
                FROM \(rows) AND (\(points.joined(separator: " OR ")))
            ) AS n
            WHERE \(same("t", "n")) AND t.deleted_at IS DISTINCT FROM n.death
            """
    }
}
