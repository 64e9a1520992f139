internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// Tries the database: it answers, is new enough, lets the role write, has room, and has the schema and the months.
struct DatabaseChecks {
    /// Of `SHOW server_version_num`: 15.0.
    private static let versionMin = 150_000

    let context: CommandContext

    func run() -> [CheckResult] {
        do {
            let connection = try context.connect()
            var results = try server(connection)
            results.append(try privileges(connection))
            results.append(try connections(connection))
            let schema = try schema(connection)
            results.append(schema)
            if schema.ok {
                results.append(try months(connection))
                results += try projections(connection)
            }
            return results
        } catch let error as PostgresError {
            return [CheckResult("database", ok: false, detail: error.message, mend: error.hint)]
        } catch let error as MigrationError {
            return [CheckResult("schema", ok: false, detail: error.message, mend: error.hint)]
        } catch let error as PackErrors {
            return [
                CheckResult(
                    "projections", ok: false, detail: error.description, mend: "Correct the pack, or projections.packs."
                )
            ]
        } catch let error as CommandError {
            return [CheckResult("database", ok: false, detail: error.message, mend: error.hint)]
        } catch {
            return [CheckResult("database", ok: false, detail: "\(error)", mend: "See database.url.")]
        }
    }

    private func server(_ connection: PostgresConnection) throws(PostgresError) -> [CheckResult] {
        let answer = try connection.execute(
            """
            SELECT
                current_setting('server_version'), current_setting('server_version_num')::integer,
                current_database(), current_user, pg_is_in_recovery(),
                current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean
            """)
        let place = "database \"\(answer.string(0, 2) ?? "")\" as \"\(answer.string(0, 3) ?? "")\""
        return [
            CheckResult(
                "database", ok: answer.count(0, 1) >= Self.versionMin,
                detail: "PostgreSQL \(answer.string(0, 0) ?? ""), \(place)",
                mend: "Millrace needs PostgreSQL 15 or newer."),
            CheckResult(
                "primary", ok: answer.bool(0, 4) == false,
                detail: answer.bool(0, 4) == true ? "this server is a standby" : "this server takes writes",
                mend: "Point database.url at the primary (target_session_attrs=read-write)."),
            CheckResult(
                "durability", ok: answer.bool(0, 5) == true, detail: "fsync and full_page_writes",
                mend: "Switch both on: with one of them off, a power failure can destroy the whole cluster."),
        ]
    }

    private func privileges(_ connection: PostgresConnection) throws(PostgresError) -> CheckResult {
        let answer = try connection.execute(
            """
            SELECT
                has_schema_privilege('public', 'CREATE'),
                COALESCE(bool_and(has_table_privilege(c.oid, 'INSERT')), true),
                COALESCE(bool_and(pg_has_role(c.relowner, 'USAGE')), true)
            FROM pg_catalog.pg_class AS c
            WHERE c.oid IN (
                to_regclass('public.analytics_events'), to_regclass('public.conversations'),
                to_regclass('public.ingest_batches'), to_regclass('public.dead_letters')
            )
            """)
        var missing: [String] = []
        if answer.bool(0, 0) != true { missing.append("CREATE in schema public") }
        if answer.bool(0, 1) != true { missing.append("INSERT on Millrace's tables") }
        if answer.bool(0, 2) != true { missing.append("membership in the tables' owner, which months are made by") }
        return CheckResult(
            "privileges", ok: missing.isEmpty,
            detail: missing.isEmpty ? "may create and write" : "missing: \(missing.joined(separator: ", "))",
            mend: "Grant the role what sql/roles.sql lists, or connect as the tables' owner.")
    }

    private func connections(_ connection: PostgresConnection) throws(PostgresError) -> CheckResult {
        let answer = try connection.execute(
            """
            SELECT
                current_setting('max_connections')::integer
                    - current_setting('superuser_reserved_connections')::integer,
                (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend'),
                (
                    SELECT count(*)
                    FROM pg_catalog.pg_stat_activity
                    WHERE application_name LIKE 'millrace %' AND pid <> pg_backend_pid()
                )
            """)
        let limit = answer.count(0, 0)
        let used = answer.count(0, 1)
        // A running daemon has its connections already.
        let needed = answer.count(0, 2) > 0 ? 0 : context.connectionsNeeded
        return CheckResult(
            "connections", ok: limit - used >= needed,
            detail: "\(used) of \(limit) in use, the daemon takes \(context.connectionsNeeded)",
            mend: "Raise max_connections of the server, or lower database.writers.")
    }

    private func schema(_ connection: PostgresConnection) throws(MigrationError) -> CheckResult {
        let status = try Migrator(connection: connection).status()
        let wrong = status.filter { $0.state != .applied }
        let isPending = wrong.allSatisfy { $0.state == .pending }
        return CheckResult(
            "schema", ok: wrong.isEmpty,
            detail: wrong.isEmpty
                ? "\(status.count) migrations applied"
                : wrong.map { "\($0.version) \($0.title) is \($0.state.rawValue)" }.joined(separator: ", "),
            mend: isPending
                ? "Run `millrace migrate up`."
                : "The database was migrated by another version of Millrace: run that one (`millrace migrate history`)."
        )
    }

    /// One for each pack that is configured or in the database.
    private func projections(_ connection: PostgresConnection) throws -> [CheckResult] {
        let versions = try PackVersion.all(connection)
        return PackStanding.all(try context.packs(), versions).map { standing in
            if let refusal = standing.refusal {
                return CheckResult("pack \(standing.pack)", ok: false, detail: refusal.message, mend: refusal.hint)
            }
            if let warning = standing.warning {
                // Left alone on purpose, perhaps; the daemon starts.
                return CheckResult(
                    "pack \(standing.pack)", ok: standing.state == .unconfigured, detail: warning.message,
                    mend: warning.mend)
            }
            return CheckResult(
                "pack \(standing.pack)", ok: true, detail: "version \(standing.live?.version ?? 0) is live", mend: "")
        }
    }

    private func months(_ connection: PostgresConnection) throws(PostgresError) -> CheckResult {
        let partitions = Partitions(connection: connection)
        var ahead = Int.max
        for table in PartitionedTable.allCases {
            let count = MonthsAhead.count(try partitions.months(of: table), at: Timestamp.now.microseconds)
            ahead = min(ahead, count)
        }
        return CheckResult(
            "partitions", ok: ahead >= min(1, context.monthsAhead),
            detail: ahead < 0 ? "this month is missing" : "\(ahead) months ahead, \(context.monthsAhead) wanted",
            mend: "Run `millrace partitions ensure`; a running daemon makes them by itself.")
    }
}
