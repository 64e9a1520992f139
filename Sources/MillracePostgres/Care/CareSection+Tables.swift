extension CareSection {
    static let deadTuples = CareSection(
        name: "dead_tuples", title: "tables with many dead rows",
        sql: """
            SELECT
                format('%I.%I', schemaname, relname) AS "table", n_live_tup AS live_rows, n_dead_tup AS dead_rows,
                round(100.0 * n_dead_tup / NULLIF(n_live_tup + n_dead_tup, 0), 1) AS dead_percent,
                \(time("GREATEST(last_vacuum, last_autovacuum)")) AS vacuumed_at,
                format('VACUUM (ANALYZE) %I.%I', schemaname, relname) AS fix
            FROM pg_catalog.pg_stat_user_tables
            WHERE n_dead_tup > 1000 AND n_dead_tup > 0.1 * n_live_tup
            ORDER BY n_dead_tup DESC
            LIMIT 20
            """)

    private static let options = [
        ("is_on", "enabled", "boolean"), ("threshold", "vacuum_threshold", "float8"),
        ("factor", "vacuum_scale_factor", "float8"), ("insert_threshold", "vacuum_insert_threshold", "float8"),
        ("insert_factor", "vacuum_insert_scale_factor", "float8"),
    ].map { name, option, type in
        "max(option_value) FILTER (WHERE option_name = 'autovacuum_\(option)')::\(type) AS \(name)"
    }.joined(separator: ", ")

    private static func setting(_ own: String, _ name: String) -> String {
        "COALESCE(own.\(own), current_setting('autovacuum_vacuum_\(name)')::float8)"
    }

    static let autovacuum = CareSection(
        name: "autovacuum", title: "tables that autovacuum should have begun with, by their own thresholds",
        sql: """
            WITH setting AS (
                SELECT
                    relation.oid, format('%I.%I', space.nspname, relation.relname) AS name,
                    COALESCE(own.is_on, true) AS is_on,
                    \(setting("threshold", "threshold"))
                        + \(setting("factor", "scale_factor")) * GREATEST(relation.reltuples, 0) AS threshold,
                    \(setting("insert_threshold", "insert_threshold"))
                        + \(setting("insert_factor", "insert_scale_factor")) * GREATEST(relation.reltuples, 0)
                        AS insert_threshold
                FROM pg_catalog.pg_class AS relation
                JOIN pg_catalog.pg_namespace AS space ON space.oid = relation.relnamespace
                CROSS JOIN LATERAL (SELECT \(options) FROM pg_options_to_table(relation.reloptions)) AS own
                WHERE relation.relkind = 'r'
            ), found AS (
                SELECT
                    setting.*, stat.n_dead_tup, stat.n_ins_since_vacuum,
                    GREATEST(stat.last_vacuum, stat.last_autovacuum) AS vacuumed_at,
                    current_setting('autovacuum')::boolean AS is_on_here,
                    EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum AS progress WHERE progress.relid = setting.oid)
                        AS is_running
                FROM setting
                JOIN pg_catalog.pg_stat_user_tables AS stat ON stat.relid = setting.oid
            )
            SELECT
                name AS "table", n_dead_tup AS dead_rows, threshold::bigint AS due_at_dead,
                n_ins_since_vacuum AS inserted_rows, insert_threshold::bigint AS due_at_inserted,
                is_on AND is_on_here AS is_enabled, is_running, \(time("vacuumed_at")) AS vacuumed_at,
                CASE
                    WHEN is_running THEN NULL
                    WHEN NOT is_on_here THEN 'ALTER SYSTEM SET autovacuum = on, and SELECT pg_reload_conf()'
                    WHEN NOT is_on THEN format('ALTER TABLE %s RESET (autovacuum_enabled)', name)
                    ELSE format('VACUUM (ANALYZE) %s', name)
                END AS fix
            FROM found
            WHERE NOT is_on
                -- It looks once in a naptime; what was written since is not late.
                OR COALESCE(vacuumed_at, '-infinity')
                    < clock_timestamp() - 2 * current_setting('autovacuum_naptime')::interval
                AND (
                    n_dead_tup > 1.2 * threshold
                    OR insert_threshold > 0 AND n_ins_since_vacuum > 1.2 * insert_threshold
                )
            ORDER BY n_dead_tup DESC, name
            LIMIT 20
            """)

    static let wraparound = CareSection(
        name: "wraparound", title: "age of the oldest transaction ids; at 2,147 million PostgreSQL stops writing",
        sql: """
            WITH aged AS (
                SELECT
                    'database ' || datname AS what, age(datfrozenxid) AS transactions, mxid_age(datminmxid) AS multixacts,
                    NULL::text AS command, 0 AS place
                FROM pg_catalog.pg_database
                WHERE datname = current_database()
                UNION ALL
                (
                    SELECT
                        'table ' || oid::regclass, age(relfrozenxid), mxid_age(relminmxid),
                        format('VACUUM (FREEZE) %s', oid::regclass), 1
                    FROM pg_catalog.pg_class
                    WHERE relkind IN ('r', 'm') AND relfrozenxid <> '0'
                    ORDER BY age(relfrozenxid) DESC
                    LIMIT 5
                )
            )
            SELECT
                what, transactions, multixacts, round(transactions / 21474836.47, 1) AS percent_used,
                current_setting('autovacuum_freeze_max_age')::integer AS frozen_by_autovacuum_at,
                CASE WHEN transactions > 1.1 * current_setting('autovacuum_freeze_max_age')::integer THEN command END AS fix
            FROM aged
            ORDER BY place, transactions DESC
            """)

    static let replication = CareSection(
        name: "replication", title: "standbys, and how far they are behind",
        sql: """
            SELECT
                application_name AS standby, client_addr::text AS address, state, sync_state,
                pg_wal_lsn_diff(\(end), replay_lsn)::bigint AS behind_bytes,
                round(EXTRACT(EPOCH FROM replay_lag)::numeric, 1) AS behind_seconds,
                CASE WHEN state IN ('streaming', 'catchup') AND replay_lag > interval '1 minute' THEN
                    'look at the standby: its disk, its network, or a query that holds up replay (max_standby_streaming_delay)'
                END AS fix
            FROM pg_catalog.pg_stat_replication
            ORDER BY application_name
            """)

    static let slots = CareSection(
        name: "slots", title: "replication slots, and the log that they keep",
        sql: """
            SELECT
                slot_name AS slot, slot_type AS type, active AS is_active, wal_status,
                pg_wal_lsn_diff(\(end), restart_lsn)::bigint AS kept_bytes,
                CASE
                    WHEN wal_status = 'lost' THEN 'make the standby anew, and raise max_slot_wal_keep_size'
                    WHEN NOT active THEN format(
                        'start its reader; or, where nobody uses it: SELECT pg_drop_replication_slot(%L)', slot_name)
                END AS fix
            FROM pg_catalog.pg_replication_slots
            ORDER BY slot_name
            """)

    /// Of the log; NULL on a standby.
    private static let end = "CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END"

    /// RFC 3339 in UTC, to the second.
    static func time(_ column: String) -> String {
        "to_char(\(column) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    }
}
