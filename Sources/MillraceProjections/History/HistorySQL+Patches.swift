internal import MillracePostgres

/// What entities with patches need besides (`EntityHistory.Patches`).
extension HistorySQL {
    /// Of all events of the entities of keys (the key's arrays).
    var claimOfEntities: String {
        claim(
            of: """
                (
                    SELECT h.*
                    FROM (SELECT DISTINCT \(list(keys.map { "\($0.expression) AS \($0.quotedName)" })) FROM \(keys.unnested())) AS given
                    JOIN \(history) AS h ON \(same("h", "given"))
                )
                """)
    }

    /// Of entities at places ($1): a place of each, and that of the event that its row is made of.
    var latest: String {
        """
        SELECT own.millrace_place, (
            SELECT e.ctid::text
            FROM \(history) AS e
            WHERE \(same("e", "own")) AND NOT e.millrace_void
            ORDER BY e.event_at DESC, e.event_id DESC
            LIMIT 1
        )
        FROM (
            SELECT DISTINCT ON (\(keys(of: "h"))) h.ctid::text AS millrace_place, \(keys(of: "h"))
            FROM \(rows(at: "$1"))
            ORDER BY \(keys(of: "h"))
        ) AS own
        """
    }

    /// Of patches at places ($1): parks those that are refused, by SQLSTATE ($2, null: not), constraint ($3) and message ($4),
    /// and ends the parking of the others; $5: the batch.
    func refusals(versionID: Int32, pack: String) -> String {
        """
        WITH given AS (
            SELECT h.tenant_id, h.event_at, h.event_id, \(entity(keys.map { "h.\($0.quotedName)" })) AS entity,
                left(\(keyText("h")), \(ParkedEvent.keyLengthMax)) AS key, m.millrace_state, m.millrace_constraint,
                replace(m.millrace_message, '"\(HistoryTables.events(of: catalog.name))"', '"\(catalog.name)"') AS millrace_message
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                AS m (millrace_place, millrace_state, millrace_constraint, millrace_message)
            JOIN \(history) AS h ON h.ctid = m.millrace_place::tid
        ), gone AS (
            DELETE FROM projections.parked AS p
            USING given AS g
            WHERE p.version_id = \(versionID) AND p.fold = '\(fold)' AND p.code = 'database' AND p.entity = g.entity
                AND p.event_at = g.event_at AND p.event_id = g.event_id
        )
        INSERT INTO projections.parked (
            version_id, pack, fold, key, code, sqlstate, constraint_name, message, tenant_id, event_at, event_id, batch_id,
            entity
        )
        SELECT \(versionID), '\(pack)', '\(fold)', g.key, 'database', g.millrace_state, g.millrace_constraint,
            g.millrace_message, g.tenant_id, g.event_at, g.event_id, $5::bigint, g.entity
        FROM given AS g
        WHERE g.millrace_state IS NOT NULL
        """
    }
}
