extension CareSection {
    static let bloat = CareSection(
        name: "bloat",
        title: "tables and b-tree indexes whose rows, by the planner's statistics, would fit into less (an estimate)",
        sql: """
            SELECT kind, object, bytes, wasted_bytes, round(100.0 * wasted_bytes / NULLIF(bytes, 0), 1) AS wasted_percent, fix
            FROM (
                SELECT 'index' AS kind, object, bytes, wasted_bytes, 'millrace reindex ' || object AS fix
                FROM (\(BloatEstimate.indexes)) AS known_index
                UNION ALL
                SELECT
                    'table', object, bytes, wasted_bytes,
                    format('VACUUM (ANALYZE) %s, for new rows; the disk gets it back by pg_repack alone', object)
                FROM (\(BloatEstimate.tables)) AS known_table
            ) AS estimated
            WHERE wasted_bytes > 1048576 AND wasted_bytes > 0.3 * bytes
            ORDER BY wasted_bytes DESC
            LIMIT 20
            """)

    /// Bytes of a page. The planner's count of pages takes no lock, as the true size does.
    private static let page = "current_setting('block_size')::bigint"

    /// A stored expression, without where it stood in its statement. `pg_get_expr` would lock the table.
    private static func expression(_ column: String) -> String {
        "COALESCE(regexp_replace(\(column)::text, ':location -?[0-9]+', '', 'g'), '')"
    }

    /// Names of Millrace's indexes that a quiet database has not needed yet, and that it needs all the same.
    private static let needed = """
        '_(batch_id|event_type_created_at|user_id_created_at|conversation_id_created_at|document|dead_at|seen_at|refused|joined|at)_idx$'
        """

    static let unusedIndexes = CareSection(
        name: "unused_indexes",
        title:
            "indexes that no query has used since the statistics begin, a table's months together; Millrace's own without a "
            + "fix are for what is rare: rebuilds, erasure, reads of one user",
        sql: """
            WITH used AS (
                SELECT
                    COALESCE(pg_partition_root(stat.indexrelid), stat.indexrelid) AS root,
                    COALESCE(pg_partition_root(stat.relid), stat.relid)::regclass::text AS "table",
                    stat.idx_scan, class.relpages::bigint * \(page) AS bytes, access.amname
                FROM pg_catalog.pg_stat_user_indexes AS stat
                JOIN pg_catalog.pg_index AS state ON state.indexrelid = stat.indexrelid
                JOIN pg_catalog.pg_class AS class ON class.oid = stat.indexrelid
                JOIN pg_catalog.pg_am AS access ON access.oid = class.relam
                WHERE NOT state.indisunique AND NOT state.indisexclusion AND state.indisvalid
            ), named AS (
                SELECT *, regexp_replace(root::regclass::text, '_y[0-9]{4}m[0-9]{2}', '') AS name
                FROM used
            )
            SELECT
                name AS index, min("table") AS "table", sum(bytes)::bigint AS bytes, count(*)::integer AS parts,
                CASE
                    WHEN min(amname) = 'gin' AND name ~ '_payload' THEN
                        'partitions.payload_index = "closed" or "none" in config.toml, where nobody searches payloads'
                    WHEN name ~ \(needed) OR min("table") ~ '^projections' THEN NULL
                    ELSE string_agg(
                        DISTINCT format(
                            'DROP INDEX %s%s', CASE class.relkind WHEN 'i' THEN 'CONCURRENTLY ' END, root::regclass),
                        '; ')
                END AS fix
            FROM named
            JOIN pg_catalog.pg_class AS class ON class.oid = named.root
            GROUP BY name
            HAVING sum(idx_scan) = 0 AND sum(bytes) > 1048576
            ORDER BY sum(bytes) DESC
            LIMIT 20
            """)

    static let duplicateIndexes = CareSection(
        name: "duplicate_indexes", title: "indexes with the same columns, order and condition as another one",
        sql: """
            WITH known AS (
                SELECT
                    state.indexrelid, state.indrelid, class.relkind, state.indisunique,
                    class.relpages::bigint * \(page) AS bytes,
                    EXISTS (
                        SELECT FROM pg_catalog.pg_constraint AS rule
                        WHERE rule.conindid = state.indexrelid AND rule.contype IN ('p', 'u', 'x')
                    ) AS is_key,
                    ROW (
                        state.indrelid, class.relam, state.indkey::text, state.indclass::text, state.indcollation::text,
                        state.indoption::text, \(expression("state.indexprs")), \(expression("state.indpred"))
                    )::text AS shape
                FROM pg_catalog.pg_index AS state
                JOIN pg_catalog.pg_class AS class ON class.oid = state.indexrelid
                JOIN pg_catalog.pg_class AS relation ON relation.oid = state.indrelid
                JOIN pg_catalog.pg_namespace AS space ON space.oid = relation.relnamespace
                WHERE (state.indisvalid OR class.relkind = 'I')
                    AND NOT class.relispartition
                    AND space.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
            ), ranked AS (
                SELECT
                    *, first_value(indexrelid) OVER ranking AS kept, row_number() OVER ranking AS place
                FROM known
                WINDOW ranking AS (PARTITION BY shape ORDER BY is_key DESC, indisunique DESC, indexrelid)
            )
            SELECT
                indexrelid::regclass::text AS index, kept::regclass::text AS same_as, indrelid::regclass::text AS "table",
                bytes,
                CASE WHEN NOT is_key AND NOT indisunique THEN
                    format('DROP INDEX %s%s', CASE relkind WHEN 'i' THEN 'CONCURRENTLY ' END, indexrelid::regclass)
                END AS fix
            FROM ranked
            WHERE place > 1
            ORDER BY bytes DESC, index
            LIMIT 20
            """)

    static let invalidIndexes = CareSection(
        name: "invalid_indexes", title: "indexes that an interrupted build left: written, and never read",
        sql: """
            SELECT
                state.indexrelid::regclass::text AS index, state.indrelid::regclass::text AS "table",
                class.relpages::bigint * \(page) AS bytes, progress.is_running,
                CASE
                    WHEN progress.is_running THEN NULL
                    WHEN class.relname ~ '_cc(new|old)[0-9]*$' THEN 'millrace reindex --leftovers'
                    ELSE format('DROP INDEX CONCURRENTLY %s', state.indexrelid::regclass)
                END AS fix
            FROM pg_catalog.pg_index AS state
            JOIN pg_catalog.pg_class AS class ON class.oid = state.indexrelid
            CROSS JOIN LATERAL (
                SELECT EXISTS (
                    SELECT FROM pg_catalog.pg_stat_progress_create_index AS build WHERE build.relid = state.indrelid
                ) AS is_running
            ) AS progress
            WHERE NOT state.indisvalid AND class.relkind = 'i'
            ORDER BY 1
            """)
}
