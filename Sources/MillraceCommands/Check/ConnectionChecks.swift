internal import MillraceAPI
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceDaemon
internal import MillracePostgres
internal import MillraceWriter

/// Whether PostgreSQL lets the daemon have all the sessions that it may open, on each of the databases that it uses.
struct ConnectionChecks {
    let context: CommandContext
    /// To `database.url`.
    let connection: PostgresConnection

    /// A use whose database answers.
    private struct Place {
        var use: SessionUse
        var connection: PostgresConnection
        var server: ServerIdentity
        var database: String
        var role: String

        init(_ use: SessionUse, _ connection: PostgresConnection) throws(PostgresError) {
            self.use = use
            self.connection = connection
            server = try connection.serverIdentity()
            let names = try connection.execute("SELECT current_database(), current_user")
            database = names.string(0, 0) ?? ""
            role = names.string(0, 1) ?? ""
        }

        func isOnServer(of other: Place) -> Bool {
            server.systemIdentifier == other.server.systemIdentifier && server.startTime == other.server.startTime
        }
    }

    func run() throws(PostgresError) -> [CheckResult] {
        var places: [Place] = []
        var results: [CheckResult] = []
        for use in context.sessionUses {
            do throws(PostgresError) {
                guard let url = use.url else {
                    places.append(try Place(use, connection))
                    continue
                }
                places.append(try Place(use, context.connect(to: url)))
            } catch {
                guard use.url != nil else { throw error }
                results.append(
                    CheckResult(
                        use.name, ok: false, detail: "the database of \(use.key) does not answer: \(error.message)",
                        fix: use.withoutIt))
            }
        }
        for place in places { results.append(try result(place, among: places)) }
        return results
    }

    private func result(_ place: Place, among places: [Place]) throws(PostgresError) -> CheckResult {
        let neighbours = places.filter { $0.isOnServer(of: place) }
        let ofRole = neighbours.filter { $0.role == place.role }
        let ofDatabase = neighbours.filter { $0.database == place.database }
        func sum(_ places: [Place]) -> Int { places.reduce(0) { $0 + $1.use.sessions } }
        // Sessions of other roles hide all but these columns from a role without pg_read_all_stats.
        let answer = try place.connection.query(
            """
            WITH session AS (
                SELECT
                    datname, usename,
                    datname = ANY ($4::text[]) AND application_name LIKE 'millrace %'
                        AND application_name <> 'millrace command' AS is_own
                FROM pg_catalog.pg_stat_activity
                WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND application_name <> 'millrace command'
            ), bound AS (
                SELECT
                    'max_connections' AS name, $1::bigint AS wanted,
                    current_setting('max_connections')::integer - CASE WHEN role.rolsuper THEN 0 ELSE
                        current_setting('superuser_reserved_connections')::integer
                            + COALESCE(current_setting('reserved_connections', true)::integer, 0) END AS most,
                    (SELECT count(*) FROM session WHERE NOT COALESCE(is_own, false)) AS used
                FROM pg_catalog.pg_roles AS role
                WHERE role.rolname = current_user
                UNION ALL
                SELECT
                    'the role''s CONNECTION LIMIT', $2, rolconnlimit,
                    (SELECT count(*) FROM session WHERE NOT COALESCE(is_own, false) AND usename = current_user)
                FROM pg_catalog.pg_roles
                WHERE rolname = current_user AND rolconnlimit >= 0 AND NOT rolsuper
                UNION ALL
                SELECT
                    'the database''s CONNECTION LIMIT', $3, datconnlimit,
                    (SELECT count(*) FROM session WHERE NOT COALESCE(is_own, false) AND datname = current_database())
                FROM pg_catalog.pg_database, pg_catalog.pg_roles
                WHERE datname = current_database() AND datconnlimit >= 0 AND rolname = current_user AND NOT rolsuper
            )
            SELECT name, wanted, most, used
            FROM bound
            ORDER BY most - used - wanted
            LIMIT 1
            """,
            parameters: [
                .integer(Int64(sum(neighbours))), .integer(Int64(sum(ofRole))), .integer(Int64(sum(ofDatabase))),
                .array(neighbours.map(\.database)),
            ])
        let name = answer.string(0, 0) ?? "max_connections"
        let (wanted, most, used) = (answer.count(0, 1), answer.count(0, 2), answer.count(0, 3))
        let left = max(0, most - used)
        var detail = "the daemon opens up to \(place.use.sessions) sessions (\(place.use.parts))"
        if wanted > place.use.sessions { detail += ", \(wanted) with its other ones there" }
        detail += "; \(name) leaves it \(left), \(used) are others'"
        return CheckResult(
            place.use.name, ok: left >= wanted, detail: detail,
            fix: "Raise \(name) by \(used + wanted - most) at least, or lower \(place.use.lowering).")
    }
}

/// PostgreSQL sessions that a daemon opens at most, of one connection string.
struct SessionUse {
    /// What the check is called in the report.
    var name: String
    /// Where the connection string is from.
    var key: String
    /// nil: `database.url`, or the embedded database.
    var url: String?
    var sessions: Int
    /// What for.
    var parts: String
    /// Settings that say how many.
    var lowering: String
    /// What does not work while this database does not answer, and what to do.
    var withoutIt = ""
}

extension CommandContext {
    /// The sessions that a daemon opens at most, by database.
    var sessionUses: [SessionUse] {
        func add(_ other: SessionUse, to use: inout SessionUse) {
            use.sessions += other.sessions
            use.parts += ", " + other.parts
        }
        let readURLs = configuration.api.readURL
        let usersURL = configuration.identity.url
        let main = configuration.database.url
        let writers = configuration.database.writers
        var writing = SessionUse(
            name: "connections", key: "database.url", url: nil, sessions: configuration.writingSessionsMax,
            parts:
                "\(writers) \(writers == 1 ? "writer" : "writers"), the ledger, maintenance, the months, the outbox, the keys, erasures"
                + (configuration.checkoutSessionsMax > 0 ? ", \(configuration.checkoutSessionsMax) checkouts" : ""),
            lowering: "database.writers")
        let readers = configuration.api.connectionsMax
        // What no replica may answer is read here.
        writing.sessions += readers
        writing.parts += ", \(readers) readers"
        writing.lowering += " or api.connections_max"
        let replicas = readURLs.enumerated().map { index, url in
            SessionUse(
                name: "connections for reading" + (readURLs.count > 1 ? " \(index + 1)" : ""), key: "api.read_url",
                url: url.value, sessions: readers + 1, parts: "\(readers) readers, its watch",
                lowering: "api.connections_max",
                withoutIt: "Correct api.read_url, or start that server: until then others are read, or database.url.")
        }
        if !replicas.isEmpty {
            writing.sessions += 1
            writing.parts += ", the watch"
        }
        let users = SessionUse(
            name: "connections for users", key: "identity.url", url: usersURL.value,
            sessions: DaemonConfiguration.userSessionsMax, parts: "\(DaemonConfiguration.userSessionsMax) for users",
            lowering: "api.connections_max",
            withoutIt: "Correct identity.url, or start that server: until then the dashboard shows ids for e-mails.")
        var uses = [writing] + replicas
        if usersURL.isEmpty { return uses }
        if let place = ([main] + readURLs).firstIndex(of: usersURL) {
            add(users, to: &uses[place])
        } else {
            uses.append(users)
        }
        return uses
    }
}
