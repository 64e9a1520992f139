internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceWriter

/// Tries the database: it answers, is new enough, lets the role write, has room, and has the schema and the months.
struct DatabaseChecks {
    /// Of `SHOW server_version_num`: 15.0.
    private static let versionMin = 150_000

    let context: CommandContext

    func run() -> [CheckResult] {
        do {
            let connection = try context.connect()
            var results = try server(connection)
            results.append(try pooler(connection))
            results.append(try privileges(connection))
            results.append(try timeouts(connection))
            results += try ConnectionChecks(context: context, connection: connection).run()
            let schema = try schema(connection)
            results.append(schema)
            if schema.ok {
                results.append(try KeyChecks(configuration: context.configuration).keys(connection))
                results += try TableChecks(connection: connection).run()
                results += try RoleChecks(connection: connection).run()
                results += try CitusChecks(
                    policy: context.configuration.database.distribution, packs: context.packs(), connection: connection
                ).run()
                results.append(try months(connection))
                results += try RetirementChecks(configuration: context.configuration, connection: connection).run()
                results += try projections(connection)
                results.append(try parked(connection))
            }
            return results
        } catch let error as PostgresError {
            return [CheckResult("database", ok: false, detail: error.message, fix: error.hint)]
        } catch let error as MigrationError {
            return [CheckResult("schema", ok: false, detail: error.message, fix: error.hint)]
        } catch let error as PackErrors {
            return [
                CheckResult(
                    "projections", ok: false, detail: error.description, fix: "Correct the pack, or projections.packs."
                )
            ]
        } catch let error as CommandError {
            return [CheckResult("database", ok: false, detail: error.message, fix: error.hint)]
        } catch {
            return [CheckResult("database", ok: false, detail: "\(error)", fix: "Check database.url.")]
        }
    }

    /// Nothing that stops the daemon, and something that nobody else tells.
    private func parked(_ connection: PostgresConnection) throws(PostgresError) -> CheckResult {
        let counts = try ParkedCount.all(on: connection)
        let shown = counts.prefix(5).map { "\(Format.count($0.events)) in \($0.reason), since \($0.oldest)" }
        let more = counts.count > shown.count ? "; and \(counts.count - shown.count) more reasons" : ""
        return CheckResult(
            "parked events", ok: true,
            detail: counts.isEmpty ? "none" : shown.joined(separator: "; ") + more + ". \(ParkedCount.hint)", fix: "")
    }

    private func server(_ connection: PostgresConnection) throws(PostgresError) -> [CheckResult] {
        let answer = try connection.execute(
            """
            SELECT
                current_setting('server_version'), current_setting('server_version_num')::integer,
                current_database(), current_user, pg_is_in_recovery(),
                current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean,
                (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only')
            """)
        let isReadOnly = answer.string(0, 6) == "on"
        let encoding = connection.serverEncoding ?? ""
        let place = "database \"\(answer.string(0, 2) ?? "")\" as \"\(answer.string(0, 3) ?? "")\""
        return [
            CheckResult(
                "database", ok: answer.count(0, 1) >= Self.versionMin,
                detail: "PostgreSQL \(answer.string(0, 0) ?? ""), \(place)",
                fix: "Millrace needs PostgreSQL 15 or newer."),
            CheckResult(
                "primary", ok: answer.bool(0, 4) == false,
                detail: answer.bool(0, 4) == true ? "this server is a standby" : "this server takes writes",
                fix: "Point database.url at the primary (target_session_attrs=read-write)."),
            CheckResult(
                "read-write", ok: !isReadOnly,
                detail: "new transactions are \(isReadOnly ? "read-only" : "read-write") by default",
                fix: "Switch default_transaction_read_only off for the role, the database or the server "
                    + "(ALTER ROLE … RESET default_transaction_read_only; \\drds in psql lists them)."),
            CheckResult(
                "encoding", ok: encoding == "UTF8", detail: encoding,
                fix: "Create the database again: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."),
            CheckResult(
                "durability", ok: answer.bool(0, 5) == true,
                detail: "fsync and full_page_writes are \(answer.bool(0, 5) == true ? "on" : "not both on")",
                fix: "Switch both on: with one of them off, a power failure can destroy the whole cluster."),
        ]
    }

    private func privileges(_ connection: PostgresConnection) throws(PostgresError) -> CheckResult {
        let answer = try connection.execute(
            """
            SELECT
                has_schema_privilege('public', 'CREATE'),
                COALESCE(bool_and(has_table_privilege(c.oid, 'INSERT')), true),
                COALESCE(bool_and(pg_has_role(c.relowner, 'USAGE')), true),
                has_database_privilege(current_database(), 'TEMPORARY'),
                COALESCE(has_column_privilege(to_regclass('public.audit_log'), 'actor', 'INSERT'), true)
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
        if answer.bool(0, 3) != true { missing.append("TEMPORARY on the database, for the staging table") }
        if answer.bool(0, 4) != true { missing.append("INSERT on public.audit_log") }
        return CheckResult(
            "privileges", ok: missing.isEmpty,
            detail: missing.isEmpty ? "may create and write" : "missing: \(missing.joined(separator: ", "))",
            fix: "Grant the role what sql/roles.sql lists, or connect as the tables' owner.")
    }

    private func pooler(_ connection: PostgresConnection) throws -> CheckResult {
        let isByTransaction = try SessionPooling.isByTransaction(connection, context.connect())
        return CheckResult(
            "sessions", ok: !isByTransaction,
            detail: isByTransaction ? SessionPooling.refusal : "each connection has a server process of its own",
            fix: SessionPooling.fix)
    }

    /// For information only: the daemon's sessions set their own.
    private func timeouts(_ connection: PostgresConnection) throws(PostgresError) -> CheckResult {
        let settings = try connection.execute(
            """
            SELECT string_agg(name || ' = ' || reset_val || COALESCE(unit, ''), ', ' ORDER BY name)
            FROM pg_catalog.pg_settings
            WHERE name IN (
                    'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout',
                    'transaction_timeout'
                )
                AND reset_val <> '0'
            """)
        return CheckResult(
            "timeouts", ok: true,
            detail: settings.string(0, 0).map { "\($0) by default; the daemon's sessions set their own" }
                ?? "role, database and server set no limits of time",
            fix: "")
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
            fix: isPending
                ? "Run `millrace migrate up`."
                : "The database was migrated by another version of Millrace: run that one (`millrace migrate history`)."
        )
    }

    /// One for each pack that is configured or in the database.
    private func projections(_ connection: PostgresConnection) throws -> [CheckResult] {
        let packs = try context.packs()
        return try PackStanding.all(packs, PackVersion.all(connection)).map { standing in
            if let refusal = standing.refusal {
                return CheckResult("pack \(standing.pack)", ok: false, detail: refusal.message, fix: refusal.hint)
            }
            if let warning = standing.warning {
                // Left alone on purpose, perhaps; the daemon starts.
                return CheckResult(
                    "pack \(standing.pack)", ok: standing.state == .unconfigured, detail: warning.message,
                    fix: warning.fix)
            }
            return try tables(of: standing, packs, connection)
        }
    }

    /// Whether the folds still fit the tables of the live version, which somebody may have changed.
    private func tables(
        of standing: PackStanding, _ packs: [PackDefinition], _ connection: PostgresConnection
    ) throws -> CheckResult {
        let name = "pack \(standing.pack)"
        guard let live = standing.live, let pack = packs.first(where: { $0.name == standing.pack }) else {
            return CheckResult(name, ok: true, detail: "no version is live", fix: "")
        }
        do {
            let target = try FoldTarget.load(versionID: live.id, schema: live.schema, pack: pack, on: connection)
            if let advice = target.advice {
                return CheckResult(name, ok: false, detail: advice.message, fix: advice.fix)
            }
            return CheckResult(name, ok: true, detail: "version \(live.version) is live", fix: "")
        } catch let changed as PackErrors {
            return CheckResult(
                name, ok: false, detail: changed.errors.map(\.message).joined(separator: "; "),
                fix:
                    "Undo the change to the table in schema \(live.schema) (ALTER TABLE): no batch is folded into it as it "
                    + "is. Then run `millrace projections rebuild \(standing.pack)`.")
        }
    }

    private func months(_ connection: PostgresConnection) throws(PostgresError) -> CheckResult {
        let partitions = Partitions(connection: connection)
        let now = Timestamp.now.microseconds
        var ahead = Int.max
        for table in PartitionedTable.allCases {
            ahead = min(ahead, PartitionMonth.countAhead(try partitions.months(of: table), at: now))
        }
        let standings = try partitions.survey(ahead: min(1, context.monthsAhead), from: now)
        let wrong = standings.filter { $0.isWrong && $0.state != .missing }
        let detached = standings.filter { $0.state == .detached }
        var detail = ahead < 0 ? "this month is missing" : "\(ahead) months ahead, \(context.monthsAhead) wanted"
        for standing in wrong { detail += "; \(standing.name) is \(standing.state.rawValue)" }
        if !detached.isEmpty { detail += "; detached: " + detached.map(\.name).joined(separator: ", ") }
        return CheckResult(
            "partitions", ok: ahead >= min(1, context.monthsAhead) && wrong.isEmpty, detail: detail,
            fix: wrong.first?.fix.map { "Run: \($0)" }
                ?? "Run `millrace partitions ensure`; a running daemon makes them by itself.")
    }
}
