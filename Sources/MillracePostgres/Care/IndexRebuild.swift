internal import MillraceJSON

/// Rebuilds indexes one by one, CONCURRENTLY: rows are written and read meanwhile, and nobody queues behind it. Blocks; the
/// connection must be in no transaction.
///
/// `public.index_builds` says what was begun and done, so that whoever is interrupted goes on where it was. What an
/// interrupted rebuild leaves (`…_ccnew`, `…_ccold`, invalid) is found by name and dropped.
package struct IndexRebuild {
    /// An index that may be rebuilt.
    package struct Candidate: Sendable, Equatable {
        /// With its schema, quoted.
        package var index: String
        package var table: String
        package var bytes: Int
        /// An estimate; nil where the statistics don't tell.
        package var wastedBytes: Int?

        /// 0 ... 1; nil where it is not known.
        package var wastedShare: Double? {
            wastedBytes.map { bytes > 0 ? Double($0) / Double(bytes) : 0 }
        }
    }

    /// Why one was not rebuilt.
    package struct Failure: Error, Sendable {
        package var index: String
        package var cause: PostgresError
        /// Sessions that hold its table, the oldest first.
        package var holders: [String]
    }

    /// Between two tries for a lock.
    private static let pauses = Backoff(min: .milliseconds(500), max: .seconds(5))

    private let connection: PostgresConnection
    /// For one lock, or for the end of one older transaction.
    private let lockTimeout: Duration
    private let tries: Int
    private let timeout: Duration

    /// - Parameters:
    ///   - lockTimeout: for one lock, or for one older transaction; neither holds up who writes.
    ///   - tries: for one index.
    ///   - timeout: for one index.
    package init(
        connection: PostgresConnection, lockTimeout: Duration, tries: Int = 5, timeout: Duration = .seconds(24 * 3600)
    ) {
        self.connection = connection
        self.lockTimeout = lockTimeout
        self.tries = tries
        self.timeout = timeout
    }

    /// Takes the place of the one that rebuilds, until the session ends. False where another session has it.
    package func begin() throws(PostgresError) -> Bool {
        try connection.execute("SELECT pg_try_advisory_lock(\(AdvisoryLock.reindex.rawValue), 0)").bool(0, 0) == true
    }

    /// Indexes of Millrace's tables, of their months and of the packs, those first whose rebuild gives most. What
    /// REINDEX CONCURRENTLY refuses, of an exclusion constraint, is not among them.
    ///
    /// - Parameters:
    ///   - names: only these, or those of these tables, whoever's they are; empty: all of Millrace's.
    ///   - age: without those that were rebuilt so long ago at most.
    package func candidates(named names: [String], notWithin age: Duration) throws(PostgresError) -> [Candidate] {
        let found = try connection.query(
            """
            WITH wanted AS (
                SELECT to_regclass(name)::oid AS oid FROM unnest($1::text[]) AS name
            ), own AS (
                SELECT relation.oid
                FROM pg_catalog.pg_class AS relation
                JOIN pg_catalog.pg_namespace AS space ON space.oid = relation.relnamespace
                WHERE relation.relkind = 'r'
                    AND (
                        space.nspname = 'projections'
                        OR starts_with(space.nspname::text, 'projections_')
                        OR EXISTS (
                            SELECT
                            FROM public.millrace_tables AS listed
                            WHERE to_regclass('public.' || quote_ident(listed.name))
                                IN (relation.oid, pg_partition_root(relation.oid))
                        )
                    )
            )
            SELECT
                format('%I.%I', space.nspname, class.relname), state.indrelid::regclass::text, pg_relation_size(class.oid),
                estimate.wasted_bytes
            FROM pg_catalog.pg_index AS state
            JOIN pg_catalog.pg_class AS class ON class.oid = state.indexrelid AND class.relkind = 'i'
            JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
            LEFT JOIN (\(BloatEstimate.indexes)) AS estimate ON estimate.oid = class.oid
            LEFT JOIN public.index_builds AS build ON build.index_name = format('%I.%I', space.nspname, class.relname)
            WHERE state.indisvalid
                AND NOT state.indisexclusion
                AND class.relpersistence = 'p'
                AND pg_has_role(class.relowner, 'USAGE')
                AND CASE
                    WHEN cardinality($1::text[]) = 0 THEN state.indrelid IN (SELECT oid FROM own)
                    ELSE EXISTS (
                        SELECT
                        FROM wanted
                        WHERE wanted.oid IN (
                            class.oid, state.indrelid, pg_partition_root(class.oid), pg_partition_root(state.indrelid)
                        )
                    )
                END
                AND COALESCE(build.done_at < clock_timestamp() - make_interval(secs => $2::double precision), true)
            ORDER BY COALESCE(estimate.wasted_bytes, 0) DESC, pg_relation_size(class.oid) DESC, 1
            """, parameters: [.array(names), .integer(age.components.seconds)])
        return (0..<found.rowCount).map { row in
            Candidate(
                index: found.string(row, 0) ?? "", table: found.string(row, 1) ?? "", bytes: found.count(row, 2),
                wastedBytes: found.int(row, 3))
        }
    }

    /// Those of `names` that are neither an index nor a table.
    package func unknown(_ names: [String]) throws(PostgresError) -> [String] {
        let found = try connection.query(
            "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL", parameters: [.array(names)])
        return found.texts.map { $0[0] }
    }

    /// Drops what interrupted rebuilds left, unless someone builds on that table just now. `table`: of this one alone.
    /// Returns what it dropped.
    @discardableResult
    package func dropLeftovers(of table: String? = nil) throws(PostgresError) -> [String] {
        let found = try connection.query(
            """
            SELECT format('%I.%I', space.nspname, class.relname)
            FROM pg_catalog.pg_index AS state
            JOIN pg_catalog.pg_class AS class ON class.oid = state.indexrelid AND class.relkind = 'i'
            JOIN pg_catalog.pg_namespace AS space ON space.oid = class.relnamespace
            WHERE NOT state.indisvalid
                AND class.relname ~ '_cc(new|old)[0-9]*$'
                AND ($1::text IS NULL OR state.indrelid = to_regclass($1))
                AND pg_has_role(class.relowner, 'USAGE')
                AND space.nspname <> 'pg_toast'
                AND NOT EXISTS (
                    SELECT
                    FROM pg_catalog.pg_stat_progress_create_index AS build
                    WHERE build.relid = state.indrelid AND build.pid <> pg_backend_pid()
                )
            ORDER BY 1
            """, parameters: [table.map { .text($0) }])
        let names = found.texts.map { $0[0] }
        try limitLocks()
        for name in names { try connection.execute("DROP INDEX CONCURRENTLY IF EXISTS \(name)", timeout: timeout) }
        return names
    }

    /// Rebuilds one and returns its size after that. Throws `Failure` where others held its table for too long, or
    /// PostgreSQL refuses it; what that leaves is dropped.
    package func rebuild(_ candidate: Candidate) throws(Failure) -> Int {
        var pauses = Self.pauses
        while true {
            do throws(PostgresError) {
                return try rebuildOnce(candidate)
            } catch {
                guard connection.isUsable, error.code != .interrupted else { throw failure(candidate, error) }
                do throws(PostgresError) { try dropLeftovers(of: candidate.table) } catch {}
                let isHeldUp = error.sqlState == .lockNotAvailable || error.sqlState == .deadlockDetected
                guard isHeldUp, pauses.attempts + 1 < tries else { throw failure(candidate, error) }
                do throws(PostgresError) { try connection.interrupt.pause(for: pauses.next()) } catch {
                    throw failure(candidate, error)
                }
            }
        }
    }

    private func rebuildOnce(_ candidate: Candidate) throws(PostgresError) -> Int {
        try connection.query(
            """
            INSERT INTO public.index_builds AS build (index_name, table_name, bytes_before)
            VALUES ($1, $2, $3::bigint)
            ON CONFLICT (index_name) DO UPDATE
            SET table_name = EXCLUDED.table_name, bytes_before = EXCLUDED.bytes_before, begun_at = EXCLUDED.begun_at,
                done_at = NULL, bytes_after = NULL
            """, parameters: [.text(candidate.index), .text(candidate.table), .integer(candidate.bytes)])
        try limitLocks()
        try connection.execute("REINDEX INDEX CONCURRENTLY \(candidate.index)", timeout: timeout)
        return try connection.transaction { () throws(PostgresError) in
            let bytes = try connection.query(
                """
                UPDATE public.index_builds
                SET done_at = clock_timestamp(), bytes_after = pg_relation_size($1::regclass)
                WHERE index_name = $1
                RETURNING bytes_after
                """, parameters: [.text(candidate.index)]
            ).count(0, 0)
            try AuditLog.record(
                .indexRebuild, candidate.index, before: ["bytes": .integer(candidate.bytes)],
                after: ["bytes": .integer(bytes)], on: connection)
            return bytes
        }
    }

    /// Forgets builds of indexes that are gone with their months.
    package func forgetGone() throws(PostgresError) {
        try connection.execute("DELETE FROM public.index_builds WHERE to_regclass(index_name) IS NULL")
    }

    private func limitLocks() throws(PostgresError) {
        try connection.execute("SET lock_timeout = \(lockTimeout.milliseconds)")
    }

    private func failure(_ candidate: Candidate, _ cause: PostgresError) -> Failure {
        var holders: [String] = []
        if connection.isUsable {
            holders = (try? LockHolders.describe(ofTables: [candidate.table], on: connection)) ?? []
        }
        return Failure(index: candidate.index, cause: cause, holders: holders)
    }
}

/// How far PostgreSQL is with building an index.
package struct IndexBuildProgress: Sendable, Equatable {
    /// As `pg_stat_progress_create_index` names it.
    package var phase: String
    /// 0 ... 1 of the phase; nil where it does not say.
    package var share: Double?

    /// Of the session `processID`; nil while it builds none.
    package static func of(
        session processID: Int, on connection: PostgresConnection
    ) throws(PostgresError) -> IndexBuildProgress? {
        let found = try connection.query(
            """
            SELECT
                phase,
                (100.0 * CASE WHEN blocks_total > 0 THEN blocks_done::numeric / blocks_total
                    WHEN tuples_total > 0 THEN tuples_done::numeric / tuples_total END)::integer
            FROM pg_catalog.pg_stat_progress_create_index
            WHERE pid = $1::integer
            """, parameters: [.integer(processID)])
        guard let phase = found.string(0, 0) else { return nil }
        return IndexBuildProgress(phase: phase, share: found.int(0, 1).map { Double($0) / 100 })
    }
}
