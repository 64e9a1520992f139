/// How much of a table or index is more than its rows need, by what the planner knows of them: rows, and the average width of
/// each column (`pg_stats`, so only of what the role may read, and analyzed). An estimate: how values are aligned within a
/// row, and the deduplication of equal keys in an index, are not in it. Nothing is read but catalogs.
enum BloatEstimate {
    /// Rows of (oid, relation, object, bytes, wasted_bytes): b-tree indexes of a mebibyte and more.
    static let indexes = """
        SELECT
            class.oid, state.indrelid AS relation, class.oid::regclass::text AS object,
            class.relpages::bigint * size.page AS bytes,
            (GREATEST(class.relpages - (1 + ceil(
                class.reltuples * (12 + 8 * ceil(width.bytes / 8.0))
                    / ((size.page - 40) * COALESCE(own.fill, 90) / 100)
            )) * 1.01, 0) * size.page)::bigint AS wasted_bytes
        FROM pg_catalog.pg_class AS class
        JOIN pg_catalog.pg_am AS access ON access.oid = class.relam AND access.amname = 'btree'
        JOIN pg_catalog.pg_index AS state ON state.indexrelid = class.oid AND state.indisvalid
        CROSS JOIN (SELECT current_setting('block_size')::integer AS page) AS size
        CROSS JOIN LATERAL (
            SELECT max(option_value) FILTER (WHERE option_name = 'fillfactor')::integer AS fill
            FROM pg_options_to_table(class.reloptions)
        ) AS own
        JOIN pg_catalog.pg_class AS relation ON relation.oid = state.indrelid
        JOIN pg_catalog.pg_namespace AS space ON space.oid = relation.relnamespace
        CROSS JOIN LATERAL (
            SELECT
                sum(COALESCE(known.avg_width, own_known.avg_width)) AS bytes,
                bool_and(COALESCE(known.avg_width, own_known.avg_width) IS NOT NULL) AS is_known
            FROM pg_catalog.pg_attribute AS field
            LEFT JOIN pg_catalog.pg_attribute AS source
                ON source.attrelid = state.indrelid AND source.attnum = state.indkey[field.attnum - 1]
            LEFT JOIN pg_catalog.pg_stats AS known
                ON known.schemaname = space.nspname AND known.tablename = relation.relname
                AND known.attname = source.attname AND NOT known.inherited
            LEFT JOIN pg_catalog.pg_stats AS own_known
                ON own_known.schemaname = space.nspname AND own_known.tablename = class.relname
                AND own_known.attname = field.attname
            WHERE field.attrelid = class.oid AND field.attnum > 0
        ) AS width
        WHERE class.relkind = 'i'
            AND class.relpages >= 128
            AND class.reltuples >= 0
            AND width.is_known
            AND space.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
        """

    /// The same of tables, without relation.
    static let tables = """
        SELECT
            class.oid, class.oid::regclass::text AS object, class.relpages::bigint * size.page AS bytes,
            (GREATEST(class.relpages - ceil(
                class.reltuples * (28 + 8 * ceil(width.bytes / 8.0))
                    / ((size.page - 24) * COALESCE(own.fill, 100) / 100)
            ), 0) * size.page)::bigint AS wasted_bytes
        FROM pg_catalog.pg_class AS class
        JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
        CROSS JOIN (SELECT current_setting('block_size')::integer AS page) AS size
        CROSS JOIN LATERAL (
            SELECT max(option_value) FILTER (WHERE option_name = 'fillfactor')::integer AS fill
            FROM pg_options_to_table(class.reloptions)
        ) AS own
        CROSS JOIN LATERAL (
            SELECT sum((1 - known.null_frac) * known.avg_width) AS bytes, count(*) AS fields
            FROM pg_catalog.pg_stats AS known
            WHERE known.schemaname = space.nspname AND known.tablename = class.relname AND NOT known.inherited
        ) AS width
        WHERE class.relkind = 'r'
            AND class.relpages >= 128
            AND class.reltuples >= 0
            AND width.fields = (
                SELECT count(*)
                FROM pg_catalog.pg_attribute AS field
                WHERE field.attrelid = class.oid AND field.attnum > 0 AND NOT field.attisdropped
            )
            AND space.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
        """
}
