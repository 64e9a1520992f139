/// A part of the report on the database, and how it is asked for. Every statement runs with the rights of PUBLIC; what its
/// role may not see is missing from the answer.
package struct CareSection: Sendable {
    package let name: String
    package let title: String
    let sql: String

    /// In the order of the report.
    package static let all: [CareSection] = [
        connections, transactions, lockWaits, slowQueries, cache, deadTuples, autovacuum, bloat, unusedIndexes,
        duplicateIndexes, invalidIndexes, wraparound, replication, slots,
    ]

    static let connections = CareSection(
        name: "connections", title: "connections by what they do",
        sql: """
            WITH client AS (
                SELECT COALESCE(state, 'hidden') AS state, count(*) AS sessions
                FROM pg_catalog.pg_stat_activity
                WHERE backend_type = 'client backend' OR backend_type IS NULL
                GROUP BY 1
            ), bound AS (
                SELECT
                    current_setting('max_connections')::integer AS most,
                    current_setting('superuser_reserved_connections')::integer AS reserved,
                    (SELECT sum(sessions) FROM client) AS used
            )
            SELECT
                state, sessions::integer, used::integer AS all_sessions, most AS max_connections,
                CASE
                    WHEN used > 0.8 * (most - reserved) THEN format(
                        'ALTER SYSTEM SET max_connections = %s, and restart PostgreSQL; or lower database.writers and api.connections_max',
                        most * 2)
                END AS fix
            FROM client
            CROSS JOIN bound
            ORDER BY sessions DESC, state
            """)

    static let transactions = CareSection(
        name: "transactions",
        title: "transactions older than five minutes: no vacuum removes what they could still see",
        sql: """
            SELECT
                pid, application_name AS application, state,
                EXTRACT(EPOCH FROM clock_timestamp() - xact_start)::bigint AS seconds,
                age(backend_xmin) AS xmin_age, \(shown("query")) AS query,
                format('SELECT pg_%s_backend(%s)', CASE state WHEN 'active' THEN 'cancel' ELSE 'terminate' END, pid)
                    AS fix
            FROM pg_catalog.pg_stat_activity
            WHERE xact_start < clock_timestamp() - interval '5 minutes'
                AND pid <> pg_backend_pid()
                AND backend_type = 'client backend'
            ORDER BY xact_start
            LIMIT 20
            """)

    static let lockWaits = CareSection(
        name: "lock_waits", title: "sessions that wait for a lock, and who blocks them",
        sql: """
            SELECT
                lock.pid AS waiting_pid, waiter.application_name AS waiting_application,
                round(EXTRACT(EPOCH FROM clock_timestamp() - lock.waitstart)::numeric, 1) AS seconds,
                COALESCE(lock.relation::regclass::text, lock.locktype) AS object, lock.mode,
                \(shown("waiter.query")) AS waiting_query,
                blocking.pid AS blocking_pid, blocker.application_name AS blocking_application,
                blocker.state AS blocking_state,
                round(EXTRACT(EPOCH FROM clock_timestamp() - blocker.xact_start)::numeric, 1) AS blocking_seconds,
                \(shown("blocker.query")) AS blocking_query,
                CASE
                    WHEN blocking.pid = 0 THEN 'SELECT gid FROM pg_prepared_xacts, and ROLLBACK PREPARED ''gid'''
                    -- That one waits itself: who blocks it is another row.
                    WHEN EXISTS (
                        SELECT FROM pg_catalog.pg_locks AS other WHERE other.pid = blocking.pid AND NOT other.granted
                    ) THEN NULL
                    WHEN blocker.state = 'active' THEN format('SELECT pg_cancel_backend(%s)', blocking.pid)
                    ELSE format('SELECT pg_terminate_backend(%s)', blocking.pid)
                END AS fix
            FROM pg_catalog.pg_locks AS lock
            CROSS JOIN LATERAL (SELECT DISTINCT unnest(pg_blocking_pids(lock.pid))) AS blocking (pid)
            LEFT JOIN pg_catalog.pg_stat_activity AS waiter ON waiter.pid = lock.pid
            LEFT JOIN pg_catalog.pg_stat_activity AS blocker ON blocker.pid = blocking.pid
            WHERE NOT lock.granted
            ORDER BY lock.waitstart, lock.pid
            LIMIT 50
            """)

    /// Of the extension pg_stat_statements, which keeps no percentile. Durations of a statement are about log-normal: few are
    /// much longer than most. By Cantelli's inequality no more than one in twenty of any distribution is above the mean and
    /// the root of 19 standard deviations.
    static let slowQueries = CareSection(
        name: "slow_queries",
        title:
            "statements by the time that one in twenty exceeds (p95), in milliseconds: estimated from mean and standard "
            + "deviation as of a log-normal distribution, within min and max; p95_at_most_ms holds for any distribution",
        sql: """
            WITH own AS (
                SELECT
                    query, calls, total_exec_time AS total, mean_exec_time AS mean, stddev_exec_time AS deviation,
                    min_exec_time AS least, max_exec_time AS most,
                    ln(1 + (stddev_exec_time / NULLIF(mean_exec_time, 0)) ^ 2) AS variance
                FROM {statements}
                WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
                    AND calls >= 5
                    AND mean_exec_time > 0
            ), estimated AS (
                SELECT
                    *, LEAST(GREATEST(exp(ln(mean) - variance / 2 + 1.6449 * sqrt(variance)), least), most) AS p95
                FROM own
            )
            SELECT
                \(hidden("query", unless: "query")) AS query, calls, round(mean::numeric, 2) AS mean_ms,
                round(deviation::numeric, 2) AS stddev_ms, round(p95::numeric, 2) AS p95_ms,
                round(LEAST(mean + sqrt(19) * deviation, most)::numeric, 2) AS p95_at_most_ms,
                round(most::numeric, 2) AS max_ms, round(total::numeric, 0) AS total_ms,
                CASE WHEN p95 >= 1000 AND query ~* '^[[:space:]]*(SELECT|WITH|UPDATE|DELETE)' THEN
                    'EXPLAIN (ANALYZE, BUFFERS) it with values of its parameters: an index, or a read of a projection, mostly helps'
                END AS fix
            FROM estimated
            ORDER BY p95 DESC
            LIMIT 15
            """)

    static let cache = CareSection(
        name: "cache", title: "blocks found in shared_buffers; what the system's cache held counts as read",
        sql: """
            WITH counted AS (
                SELECT 'tables' AS what, sum(heap_blks_hit) AS hits, sum(heap_blks_read) AS reads
                FROM pg_catalog.pg_statio_user_tables
                UNION ALL
                SELECT 'indexes', sum(idx_blks_hit), sum(idx_blks_read)
                FROM pg_catalog.pg_statio_user_tables
                UNION ALL
                SELECT 'database', blks_hit, blks_read
                FROM pg_catalog.pg_stat_database
                WHERE datname = current_database()
            )
            SELECT
                what, hits::bigint, reads::bigint, round(100.0 * hits / NULLIF(hits + reads, 0), 2) AS hit_percent,
                current_setting('shared_buffers') AS shared_buffers,
                CASE WHEN reads > 100000 AND hits < 0.9 * (hits + reads) THEN 'millrace tune' END AS fix
            FROM counted
            ORDER BY what
            """)

    /// The text of a statement without what it holds of others' data: string literals are hidden, and what follows the first
    /// quote where quotes can't be told apart by a pattern.
    private static func shown(_ query: String) -> String {
        hidden(
            query,
            unless: """
                CASE
                    WHEN \(query) ~ '[\\\\]|[$][[:alnum:]_]*[$]' THEN substring(\(query) FROM '^[^''$]*') || ' …'
                    ELSE regexp_replace(\(query), '''([^'']|'''')*(''|$)', '''…''', 'g')
                END
                """)
    }

    /// `text` of the statement `query` on one line, and nothing of one that may set a password.
    private static func hidden(_ query: String, unless text: String) -> String {
        """
        left(
            regexp_replace(
                CASE WHEN \(query) ~* 'passw' THEN 'hidden: it may hold a password' ELSE \(text) END,
                '[[:space:]]+', ' ', 'g'),
            200)
        """
    }
}
