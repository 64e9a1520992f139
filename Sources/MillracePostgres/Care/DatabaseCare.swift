/// Looks after the database as an operator does: what is slow, what waits, what grows, and which command helps. Reads
/// catalogs and statistics only; blocks.
package struct DatabaseCare {
    private let connection: PostgresConnection
    /// For one statement; nil: the connection's.
    private let timeout: Duration?

    package init(connection: PostgresConnection, timeout: Duration? = nil) {
        self.connection = connection
        self.timeout = timeout
    }

    /// All of it. A part that PostgreSQL refuses is left out, with a note that says why; throws where the connection is
    /// lost, or an answer takes too long.
    package func report() throws(PostgresError) -> CareReport {
        let facts = try connection.execute(
            """
            SELECT
                current_setting('server_version'), current_database(), current_user,
                pg_has_role(current_user, 'pg_monitor', 'USAGE'),
                (
                    SELECT \(CareSection.time("stats_reset"))
                    FROM pg_catalog.pg_stat_database
                    WHERE datname = current_database()
                ),
                quote_ident(current_user)
            """, timeout: timeout)
        var report = CareReport(
            server: facts.string(0, 0) ?? "", database: facts.string(0, 1) ?? "", role: facts.string(0, 2) ?? "",
            isMonitor: facts.bool(0, 3) ?? false, statisticsSince: facts.string(0, 4), notes: [], tables: [])
        if !report.isMonitor {
            report.notes.append(
                "of others' sessions, statements and standbys the role \(report.role) sees little: GRANT pg_monitor TO "
                    + (facts.string(0, 5) ?? ""))
        }
        for section in CareSection.all { report.tables.append(try table(section)) }
        return report
    }

    private func table(_ section: CareSection) throws(PostgresError) -> CareTable {
        var sql = section.sql
        if section.name == CareSection.slowQueries.name {
            guard let statements = try statementsView() else {
                return CareTable(
                    name: section.name, title: section.title,
                    note:
                        "the extension pg_stat_statements is not there: add it to shared_preload_libraries (`millrace tune` "
                        + "has the line), restart PostgreSQL, and CREATE EXTENSION pg_stat_statements")
            }
            sql = sql.replacing("{statements}", with: statements)
        }
        do throws(PostgresError) {
            return try connection.transaction(timeout: timeout) { () throws(PostgresError) in
                // Where locks are asked for, nobody is to wait for one.
                try connection.execute("SET LOCAL lock_timeout = '500ms'")
                return CareTable(section, try connection.execute(sql, timeout: timeout))
            }
        } catch {
            guard error.code == .serverError, connection.isUsable, error.sqlState != .queryCanceled else { throw error }
            return CareTable(
                name: section.name, title: section.title,
                note: "PostgreSQL refuses it (SQLSTATE \(error.sqlState?.rawValue ?? "unknown")): \(error.message)")
        }
    }

    /// With its schema; nil where the extension was not created in this database.
    private func statementsView() throws(PostgresError) -> String? {
        try connection.execute(
            """
            SELECT format('%I.pg_stat_statements', space.nspname)
            FROM pg_catalog.pg_extension AS extension
            JOIN pg_catalog.pg_namespace AS space ON space.oid = extension.extnamespace
            WHERE extension.extname = 'pg_stat_statements'
            """, timeout: timeout
        ).string(0, 0)
    }
}
