internal import MillracePostgres

/// Writes the statements of an `EntityHistory`.
///
/// Expressions of indexes name their columns as they are. So they stand only where one relation has these columns; what
/// else is in sight there has names that start with `millrace_`.
struct HistorySQL {
    let fold: String
    /// With their schema, quoted.
    let table: String
    let history: String
    let values: String
    let catalog: CatalogTable
    let columns: [FoldColumn]
    let keyCount: Int

    var keys: [FoldColumn] { Array(columns[..<keyCount]) }
    var keyList: String { list(keys.map(\.quotedName)) }
    /// The history has one column more.
    private var historyNames: String { list(columns.map(\.quotedName)) }
    private var names: String { list(columns.ofTable.map(\.quotedName)) }
    private var hasPatches: Bool { columns.contains { $0.name == HistoryTables.patch } }

    /// Every column that is not computed.
    var stored: String { list(catalog.columns.filter { $0.fallback != "generated" }.map { "\"\($0.name)\"" }) }

    func list(_ parts: [String]) -> String { parts.joined(separator: ", ") }

    func keys(of alias: String) -> String { list(keys.map { "\(alias).\($0.quotedName)" }) }

    func same(_ one: String, _ two: String) -> String {
        keys.map { "\(one).\($0.quotedName) = \(two).\($0.quotedName)" }.joined(separator: " AND ")
    }

    private func sameEvent(_ one: String, _ two: String) -> String {
        "\(same(one, two)) AND \(one).event_at = \(two).event_at AND \(one).event_id = \(two).event_id"
    }

    /// Of a unique index, over the columns of the one relation in sight; null when the row is not in it.
    private func hash(_ unique: CatalogTable.UniqueIndex, seed: Int) -> String {
        var conditions = unique.predicate.map { ["(\($0))"] } ?? []
        if !unique.areNullsEqual { conditions += unique.expressions.map { "(\($0)) IS NOT NULL" } }
        let row =
            "ROW('\(unique.name.replacing("'", with: "''"))'::text, \(list(unique.expressions.map { "(\($0))" })))"
        let hash = "hash_record_extended(\(row), \(seed))"
        return conditions.isEmpty
            ? hash : "CASE WHEN \(conditions.joined(separator: " AND ")) THEN \(hash) END"
    }

    /// Each value that a row of `relation` wants, with the entity, once.
    private func wanted(of relation: String) -> String {
        guard !catalog.uniques.isEmpty else {
            return "SELECT NULL::bigint AS millrace_value, \(keyList) FROM \(relation) AS millrace_rows WHERE false"
        }
        let hashes = list(catalog.uniques.map { "(\(hash($0, seed: 0)))" })
        return """
            SELECT DISTINCT w.millrace_value, \(keyList)
            FROM \(relation) AS millrace_rows
            CROSS JOIN LATERAL (VALUES \(hashes)) AS w (millrace_value)
            WHERE w.millrace_value IS NOT NULL
            """
    }

    /// The rows at places, as `h`.
    func rows(at places: String) -> String {
        "unnest(\(places)::text[]) AS m (millrace_place) JOIN \(history) AS h ON h.ctid = m.millrace_place::tid"
    }

    // MARK: the ordinary way; $1, $2 … are the columns' arrays

    private var added: String {
        // `record` can't write an event twice that a batch has twice.
        let once = hasPatches ? "DISTINCT ON (\(list((1...keyCount + 2).map(String.init)))) " : ""
        return """
            INSERT INTO \(history) (\(historyNames))
            SELECT \(once)\(list(columns.map(\.expression)))
            FROM \(columns.unnested())
            ON CONFLICT DO NOTHING
            """
    }

    var admission: String {
        let set = columns.ofTable[keyCount...].map { "\($0.quotedName) = EXCLUDED.\($0.quotedName)" }
        let patched = hasPatches ? " OR EXISTS (SELECT FROM added WHERE \(isPatched("added")))" : ""
        return """
            WITH added AS (
                \(added)
                RETURNING *
            ), wanted AS (
                \(wanted(of: "added"))
            ), claimed AS (
                INSERT INTO \(values) AS v (millrace_value, millrace_nth, millrace_contended, \(keyList))
                SELECT DISTINCT ON (n.millrace_value) n.millrace_value, 0,
                    count(*) OVER (PARTITION BY n.millrace_value) > 1, \(keys(of: "n"))
                FROM wanted AS n
                WHERE NOT EXISTS (
                    SELECT FROM \(values) AS known
                    WHERE known.millrace_value = n.millrace_value AND known.millrace_nth = 0
                        AND NOT known.millrace_contended AND \(same("known", "n"))
                )
                ORDER BY n.millrace_value
                ON CONFLICT (millrace_value, millrace_nth) DO UPDATE
                SET millrace_contended = true
                WHERE (\(keys(of: "v"))) <> (\(keys(of: "EXCLUDED")))
                RETURNING v.millrace_contended
            ), put AS (
                INSERT INTO \(table) AS t (\(names))
                SELECT DISTINCT ON (\(keyList)) \(names)
                FROM added
                ORDER BY \(keyList), event_at DESC, event_id DESC
                ON CONFLICT (\(keyList)) DO UPDATE
                SET \(list(set))
                WHERE (t.event_at, t.event_id) < (EXCLUDED.event_at, EXCLUDED.event_id)
            )
            SELECT EXISTS (SELECT FROM claimed WHERE millrace_contended) OR EXISTS (
                SELECT FROM added JOIN \(values) AS mine ON \(same("mine", "added")) AND mine.millrace_contended
            )\(patched)
            """
    }

    /// Whether a row, or another one of its entity, is a patch.
    private func isPatched(_ row: String) -> String {
        """
        \(row).\(HistoryTables.patch) IS NOT NULL OR EXISTS (
            SELECT FROM \(history) AS h WHERE \(same("h", row)) AND h.\(HistoryTables.patch) IS NOT NULL
        )
        """
    }

    /// Of patches those that were there too: they are worked out anew.
    var record: String {
        guard hasPatches else { return "\(added) RETURNING ctid::text" }
        let again = "ON CONFLICT (\(keyList), event_at, event_id) DO UPDATE SET event_id = EXCLUDED.event_id"
        return "\(added.replacing("ON CONFLICT DO NOTHING", with: again)) RETURNING ctid::text"
    }

    // MARK: who contends

    /// Of the rows of `relation`.
    func claim(of relation: String) -> String {
        """
        WITH wanted AS (
            \(wanted(of: relation))
        ), fresh AS (
            SELECT n.*, COALESCE(claims.last, -1)
                + row_number() OVER (PARTITION BY n.millrace_value ORDER BY \(keys(of: "n"))) AS nth
            FROM wanted AS n
            CROSS JOIN LATERAL (
                SELECT max(millrace_nth) AS last FROM \(values) AS v WHERE v.millrace_value = n.millrace_value
            ) AS claims
            WHERE NOT EXISTS (
                SELECT FROM \(values) AS v WHERE v.millrace_value = n.millrace_value AND \(same("v", "n"))
            )
        ), added AS (
            INSERT INTO \(values) (millrace_value, millrace_nth, millrace_contended, \(keyList))
            SELECT millrace_value, nth, nth > 0 OR count(*) OVER (PARTITION BY millrace_value) > 1, \(keyList)
            FROM fresh
        )
        UPDATE \(values)
        SET millrace_contended = true
        WHERE NOT millrace_contended AND millrace_value IN (SELECT millrace_value FROM fresh)
        """
    }

    var contended: String {
        func isGiven(_ alias: String) -> String {
            keys.map { "\(alias).\($0.quotedName) = \($0.expression)" }.joined(separator: " AND ")
        }
        let patched =
            hasPatches
            ? " OR EXISTS (SELECT FROM \(history) AS h WHERE h.\(HistoryTables.patch) IS NOT NULL AND \(isGiven("h")))"
            : ""
        return """
            SELECT k.number
            FROM \(keys.unnested(isNumbered: true))
            WHERE EXISTS (
                SELECT FROM \(values) AS v
                WHERE v.millrace_contended AND \(isGiven("v"))
            )\(patched)
            """
    }

    /// Goes from value to value, not from entity to entity: of one that many want, each is looked at once.
    var members: String {
        """
        WITH RECURSIVE given AS (
            SELECT DISTINCT \(list(keys.map { "\($0.expression) AS \($0.quotedName)" }))
            FROM \(keys.unnested())
        ), contended (millrace_value) AS (
            SELECT v.millrace_value FROM given JOIN \(values) AS v ON \(same("v", "given")) AND v.millrace_contended
            UNION
            SELECT more.millrace_value
            FROM contended AS known
            JOIN \(values) AS v ON v.millrace_value = known.millrace_value
            JOIN \(values) AS more ON \(same("more", "v")) AND more.millrace_contended
        ), entities AS (
            SELECT \(keyList) FROM given
            UNION
            SELECT \(keys(of: "v"))
            FROM contended AS known
            JOIN \(values) AS v ON v.millrace_value = known.millrace_value
        )
        SELECT own.millrace_place
        FROM entities
        CROSS JOIN LATERAL (SELECT ctid::text AS millrace_place FROM \(history) AS h WHERE \(same("h", "entities")) LIMIT 1) AS own
        ORDER BY \(keyList)
        """
    }

    var absorption: String {
        """
        WITH locked AS (
            SELECT t.*
            FROM \(rows(at: "$1"))
            JOIN \(table) AS t ON \(same("t", "h"))
            ORDER BY \(keys(of: "t"))
            FOR UPDATE OF t
        )
        INSERT INTO \(history) (\(stored))
        SELECT \(stored)
        FROM locked
        WHERE NOT EXISTS (SELECT FROM \(history) AS h WHERE \(sameEvent("h", "locked")))
        RETURNING ctid::text
        """
    }

    var holderAbsorption: String {
        guard !catalog.uniques.isEmpty else { return "SELECT FROM unnest($1::text[]) WHERE false" }
        let holders = catalog.uniques.map { unique in
            let filter = (unique.predicate.map { ["(\($0))"] } ?? []).joined()
            let wanted = unique.expressions.enumerated().map { "(\($1)) AS millrace_\($0)" }
            let equals = unique.expressions.enumerated().map { number, expression in
                "(\(expression)) \(unique.areNullsEqual ? "IS NOT DISTINCT FROM" : "=") millrace_wanted.millrace_\(number)"
            }
            return """
                SELECT holder.*
                FROM (
                    SELECT DISTINCT \(list(wanted))
                    FROM \(history)
                    WHERE \(([filter].filter { !$0.isEmpty } + [eventsOfMembers]).joined(separator: " AND "))
                ) AS millrace_wanted
                CROSS JOIN LATERAL (
                    SELECT * FROM \(table) WHERE \((equals + [filter].filter { !$0.isEmpty }).joined(separator: " AND "))
                ) AS holder
                """
        }
        return """
            WITH holders AS (
                \(holders.joined(separator: "\nUNION ALL\n"))
            )
            INSERT INTO \(history) (\(stored))
            SELECT \(stored)
            FROM holders
            WHERE NOT EXISTS (SELECT FROM \(history) AS h WHERE \(sameEvent("h", "holders")))
            ON CONFLICT DO NOTHING
            RETURNING ctid::text
            """
    }

    /// Whether the one row of the history in sight is of an entity at places ($1).
    private var eventsOfMembers: String {
        "(\(keyList)) IN (SELECT \(keys(of: "h")) FROM \(rows(at: "$1")))"
    }

    // MARK: bringing the table to what the events say

    var events: String {
        let hashes = catalog.uniques.flatMap { [hash($0, seed: 0), hash($0, seed: 1)] }
        return """
            SELECT millrace_number, millrace_event\(hashes.map { ", \($0)" }.joined())
            FROM (
                SELECT e.*, e.ctid::text AS millrace_event, m.millrace_number
                FROM unnest($1::text[]) WITH ORDINALITY AS m (millrace_place, millrace_number)
                JOIN \(history) AS h ON h.ctid = m.millrace_place::tid
                JOIN \(history) AS e ON \(same("e", "h"))\(hasPatches ? " AND NOT e.millrace_void" : "")
            ) AS millrace_events
            ORDER BY event_at, event_id
            """
    }

    var removal: String {
        // What a patch makes of a row changes with an event that comes late before it.
        let columns = { (alias: String) in
            self.list(self.columns.ofTable[keyCount...].map { "\(alias).\($0.quotedName)" })
        }
        let changed = hasPatches ? " OR (\(columns("t"))) IS DISTINCT FROM (\(columns("r")))" : ""
        return """
            DELETE FROM \(table) AS t
            USING unnest($1::text[], $2::text[]) AS m (millrace_place, row_place)
            JOIN \(history) AS h ON h.ctid = m.millrace_place::tid
            LEFT JOIN \(history) AS r ON r.ctid = m.row_place::tid
            WHERE \(same("t", "h")) AND (r.event_at IS NULL OR (t.event_at, t.event_id) <> (r.event_at, r.event_id)\(changed))
            """
    }

    var put: String {
        """
        INSERT INTO \(table) (\(stored))
        SELECT \(stored)
        FROM (SELECT h.* FROM \(rows(at: "$1"))) AS h
        ORDER BY \(keyList)
        ON CONFLICT (\(keyList)) DO NOTHING
        """
    }

    func waiting(versionID: Int32, pack: String) -> String {
        let parked = "version_id = \(versionID) AND fold = '\(fold)' AND code = '\(ParkedEvent.waitingCode)'"
        func literal(_ text: String) -> String { "'\(text.replacing("'", with: "''"))'" }
        let values = catalog.uniques.map { unique in
            let shown = unique.expressions.map { $0.contains("password") ? "'…'" : "(\($0))" }
            return """
                WHEN \(literal(unique.name)) THEN \(literal("(\(list(unique.expressions))) = ("))
                    || left(concat_ws(', ', \(list(shown))), 200) || ')'
                """
        }
        return """
            WITH members AS (
                SELECT \(entity(keys.map { "h.\($0.quotedName)" })) AS entity FROM \(rows(at: "$1"))
            ), wanted AS (
                SELECT \(entity(keys.map { "w.\($0.quotedName)" })) AS entity, w.tenant_id, w.event_at, w.event_id,
                    left(\(keyText("w")), \(ParkedEvent.keyLengthMax)) AS key, n.millrace_constraint AS constraint_name,
                    'waits for ' || (
                        SELECT CASE n.millrace_constraint \(values.isEmpty ? "WHEN '' THEN ''" : values.joined(separator: " ")) END
                        FROM \(history)
                        WHERE ctid = n.millrace_place::tid
                    ) || ', which ' || left(\(keyText("held")), \(ParkedEvent.keyLengthMax)) || ' has' AS message
                FROM unnest($2::text[], $3::text[], $4::text[]) AS n (millrace_place, millrace_constraint, millrace_holder)
                JOIN \(history) AS w ON w.ctid = n.millrace_place::tid
                JOIN \(history) AS held ON held.ctid = n.millrace_holder::tid
            ), gone AS (
                DELETE FROM projections.parked AS p
                WHERE \(parked) AND p.entity IN (SELECT entity FROM members)
                    AND NOT EXISTS (SELECT FROM wanted AS w WHERE \(Self.isSame))
            ), fresh AS (
                INSERT INTO projections.parked (
                    version_id, pack, fold, key, code, sqlstate, constraint_name, message, tenant_id, event_at, event_id,
                    batch_id, entity
                )
                SELECT \(versionID), '\(pack)', '\(fold)', w.key, '\(ParkedEvent.waitingCode)', '23505', w.constraint_name,
                    w.message, w.tenant_id, w.event_at, w.event_id, $5::bigint, w.entity
                FROM wanted AS w
                WHERE NOT EXISTS (SELECT FROM projections.parked AS p WHERE \(parked) AND \(Self.isSame))
            )
            SELECT event_id, tenant_id
            FROM wanted
            """
    }

    func keyText(_ alias: String) -> String {
        "concat_ws(', ', \(list(keys.filter { $0.name != "tenant_id" }.map { "\(alias).\($0.quotedName)" })))"
    }

    private static let isSame = """
        p.entity = w.entity AND p.event_at = w.event_at AND p.event_id = w.event_id AND p.message = w.message
        """

    /// What `projections.parked.entity` holds: equal for keys that the key's index takes for equal.
    func entity(_ key: [String]) -> String { Self.entity(key) }

    static func entity(_ key: [String]) -> String {
        let row = "ROW(\(key.joined(separator: ", ")))"
        return "int8send(hash_record_extended(\(row), 0)) || int8send(hash_record_extended(\(row), 1))"
    }
}
