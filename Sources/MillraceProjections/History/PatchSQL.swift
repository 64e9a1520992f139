/// What the engine adds to the history of an entity whose single columns events may change.
///
/// The function takes places of new events, and goes through their entities' events from these on, in order: a patch's
/// row is the one before it with the columns that it names. A patch is void, and no state of its entity, while there is
/// no save before it, or after a deletion, or when the row has gone with another (`cascade`), or when its row is one
/// that the table's CHECKs refuse; that may change with an event that comes late, of another entity too. It answers
/// each patch that it has looked at, with the SQLSTATE of those that are refused.
struct PatchSQL {
    let table: CatalogTable
    let schema: String
    /// Those that events fill.
    let filled: [String]
    /// Of what the rows go with: conditions that a row `d` of `deaths` (without schema) is of what `state` points to.
    let parents: [(deaths: String, matches: String)]

    init(of fold: FoldDefinition, _ entity: FoldKind.Entity, table: CatalogTable, pack: PackDefinition, schema: String)
    {
        self.table = table
        self.schema = schema
        filled = entity.columns.map(\.column)
        parents = fold.cascades.map { cascade in
            ("\"\(CascadeTables.deaths(of: pack.parentTable(of: cascade)))\"", cascade.matches("d", "state"))
        }
    }

    var statements: String {
        let events = "\"\(schema)\".\"\(HistoryTables.events(of: table.name))\""
        let function = "\"\(schema)\".\"\(HistoryTables.merge(of: table.name))\""
        let own = "\"\(HistoryTables.events(of: table.name))\""
        let keys = table.primaryKey.map { "\"\($0)\"" }
        let same = keys.map { "e.\($0) = one.\($0)" }.joined(separator: " AND ")
        let columns = (filled + ["deleted_at"]).map { "\"\($0)\"" }
        func set(_ value: (String) -> String) -> String {
            columns.map { "\($0) = \(value($0))" }.joined(separator: ", ")
        }
        let isOne =
            "\(keys.map { "e.\($0) = event.\($0)" }.joined(separator: " AND ")) "
            + "AND e.event_at = event.event_at AND e.event_id = event.event_id"
        let isLeft = parents.map { parent in
            """
             AND NOT EXISTS (
                SELECT FROM \(parent.deaths) AS d
                WHERE \(parent.matches)
                    AND (d.event_at, d.event_id) > (state.event_at, state.event_id)
                    AND (d.event_at, d.event_id) < (event.event_at, event.event_id)
            )
            """
        }.joined()
        return """
            ALTER TABLE \(events)
                ADD COLUMN \(HistoryTables.patch) jsonb,
                ADD COLUMN millrace_void boolean NOT NULL DEFAULT false;
            CREATE INDEX ON \(events) (\(keys.joined(separator: ", "))) WHERE \(HistoryTables.patch) IS NOT NULL;
            CREATE FUNCTION \(function)(places text[])
                RETURNS TABLE (place text, code text, violated text, reason text)
                LANGUAGE plpgsql
                SET search_path = \"\(schema)\", pg_catalog, public, pg_temp
            AS $function$
            #variable_conflict use_column
            DECLARE
                one \(own)%ROWTYPE;
                event \(own)%ROWTYPE;
                state \(own)%ROWTYPE;
                merged \(own)%ROWTYPE;
                is_known boolean;
                is_alive boolean;
            BEGIN
                FOR one IN
                    SELECT DISTINCT ON (\(keys.joined(separator: ", "))) h.*
                    FROM unnest(places) AS m (millrace_place)
                    JOIN \(own) AS h ON h.ctid = m.millrace_place::tid
                    ORDER BY \(keys.joined(separator: ", ")), event_at, event_id
                LOOP
                    CONTINUE WHEN NOT EXISTS (
                        SELECT FROM \(own) AS e WHERE \(same) AND e.\(HistoryTables.patch) IS NOT NULL
                    );
                    SELECT e.* INTO state
                    FROM \(own) AS e
                    WHERE \(same) AND NOT e.millrace_void AND (e.event_at, e.event_id) < (one.event_at, one.event_id)
                    ORDER BY e.event_at DESC, e.event_id DESC
                    LIMIT 1;
                    is_known := FOUND;
                    FOR event IN
                        SELECT e.*
                        FROM \(own) AS e
                        WHERE \(same) AND (e.event_at, e.event_id) >= (one.event_at, one.event_id)
                        ORDER BY e.event_at, e.event_id
                    LOOP
                        IF event.\(HistoryTables.patch) IS NULL THEN
                            state := event;
                            is_known := true;
                            CONTINUE;
                        END IF;
                        code := NULL;
                        violated := NULL;
                        reason := NULL;
                        is_alive := is_known AND state.deleted_at IS NULL\(isLeft);
                        IF is_alive THEN
                            BEGIN
                                merged := jsonb_populate_record(state, event.\(HistoryTables.patch));
                                merged.event_at := event.event_at;
                                merged.event_id := event.event_id;
                                UPDATE \(own) AS e
                                SET \(set { "merged.\($0)" }), millrace_void = false
                                WHERE \(isOne);
                                state := merged;
                            EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
                                GET STACKED DIAGNOSTICS
                                    code = RETURNED_SQLSTATE, violated = CONSTRAINT_NAME, reason = MESSAGE_TEXT;
                            END;
                        END IF;
                        IF code IS NOT NULL OR is_alive IS NOT TRUE THEN
                            UPDATE \(own) AS e
                            SET \(set { $0 == "\"deleted_at\"" ? "e.event_at" : "NULL" }), millrace_void = true
                            WHERE \(isOne) AND NOT e.millrace_void;
                        END IF;
                        SELECT e.ctid::text INTO place FROM \(own) AS e WHERE \(isOne);
                        RETURN NEXT;
                    END LOOP;
                END LOOP;
            END
            $function$;
            """
    }
}
