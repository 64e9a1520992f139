import MillracePostgres

/// Everything in a database's own schemas, a line each, so that two states of a schema can be compared. A column has its
/// place among those that are there: a dropped one leaves a gap in PostgreSQL's own numbers.
enum CatalogDump {
    static func lines(_ connection: PostgresConnection) throws(PostgresError) -> [String] {
        let result = try connection.execute(query)
        return (0..<result.rowCount).compactMap { result.string($0, 0) }
    }

    private static let query = """
        WITH spaces AS (
            SELECT oid, nspname
            FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
        ),
        relations AS (
            SELECT nspname || '.' || relname AS name, class.*
            FROM pg_class AS class
            JOIN spaces ON spaces.oid = relnamespace
            WHERE relname !~ '^millrace_migration'
        ),
        lines AS (
            SELECT 'schema ' || nspname FROM spaces
            UNION ALL
            SELECT concat_ws(' ', 'relation', name, relkind, reloptions, relispartition, relowner::regrole, relacl)
            FROM relations
            UNION ALL
            SELECT concat_ws(
                ' ', 'column', name, row_number() OVER (PARTITION BY attrelid ORDER BY attnum), attname,
                format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid))
            FROM relations
            JOIN pg_attribute ON attrelid = relations.oid AND attnum > 0 AND NOT attisdropped
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            UNION ALL
            SELECT concat_ws(' ', 'constraint', name, conname, pg_get_constraintdef(pg_constraint.oid))
            FROM relations JOIN pg_constraint ON conrelid = relations.oid
            UNION ALL
            SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid)
            FROM relations JOIN pg_index ON indrelid = relations.oid
            UNION ALL
            SELECT concat_ws(' ', 'view', name, pg_get_viewdef(relations.oid)) FROM relations WHERE relkind IN ('v', 'm')
            UNION ALL
            SELECT concat_ws(' ', 'comment', name, attname, description)
            FROM relations
            JOIN pg_description ON objoid = relations.oid AND classoid = 'pg_class'::regclass
            LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND objsubid > 0
            UNION ALL
            SELECT concat_ws(' ', 'function', nspname, pg_get_functiondef(pg_proc.oid))
            FROM spaces JOIN pg_proc ON pronamespace = spaces.oid
            UNION ALL
            SELECT concat_ws(' ', 'trigger', name, pg_get_triggerdef(pg_trigger.oid))
            FROM relations JOIN pg_trigger ON tgrelid = relations.oid AND NOT tgisinternal
            UNION ALL
            SELECT concat_ws(' ', 'type', nspname, typname, typtype)
            FROM spaces JOIN pg_type ON typnamespace = spaces.oid
            WHERE typname !~ '^_?millrace_migration'
        )
        SELECT * FROM lines ORDER BY 1
        """
}
