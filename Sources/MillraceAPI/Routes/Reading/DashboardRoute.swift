internal import Hummingbird
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// `GET /api/v1/stats-fast/dashboard`: who asks most, by name, and how much is asked. Everything is read from the
/// projections of the pack `conversations`; names come from the identity database, in one look-up.
struct DashboardRoute: Sendable {
    static let operation = APIOperation(
        id: "dashboard", path: ReadRoute.dashboard.path, tag: "dashboard",
        summary: "Top users with their names, and how much is asked", access: .read, answer: "Dashboard")

    private static let packName = "conversations"
    /// Of the days that are listed, today included.
    private static let days = 30

    let catalog: PackCatalog
    let identity: IdentityDirectory
    let configuration: ReadConfiguration

    /// What is asked of the projections.
    private struct Figures: Sendable {
        var users: [(id: String, count: Int)] = []
        var total: Int?
        var bySource: JSONWriter?
        var byDay: JSONWriter?
        var activeToday: Int?
        var active: Int?
    }

    func respond() async throws -> Response {
        let figures = try await catalog.read(.dashboard) { try await load($0) }
        let names = await identity.users(figures.users.map(\.id))
        var json = JSONWriter()
        json.append(raw: "{\"billing_stats\":{\"top_users\":[")
        for (id, count) in figures.users {
            let user = names.users[id] ?? .unknown(id)
            json.separate()
            json.append(raw: "{")
            let members = [
                ("user_id", id), ("email", user.email), ("first_name", user.firstName), ("last_name", user.lastName),
                ("plan", user.plan),
            ]
            for (name, value) in members {
                json.append(name: name)
                json.append(value)
            }
            json.append(name: "question_count")
            json.append(count)
            json.append(raw: "}")
        }
        json.append(raw: "],\"identity\":")
        json.append(names.availability.rawValue)
        json.append(raw: "},\"usage_stats\":{")
        for (name, number) in [
            ("questions_total", figures.total), ("active_users_today", figures.activeToday),
            ("active_users_\(Self.days)_days", figures.active),
        ] {
            json.append(name: name)
            if let number { json.append(number) } else { json.append(raw: "null") }
        }
        for (name, rows) in [("questions_by_source", figures.bySource), ("questions_by_day", figures.byDay)] {
            json.append(name: name)
            json.append(raw: "[")
            if let rows { json.append(raw: rows.bytes) }
            json.append(raw: "]")
        }
        json.append(raw: "}}")
        return APIAnswer.response(json)
    }

    private func load(_ live: LivePacks) async throws -> Figures {
        let pack = try catalog.pack(Self.packName, in: live)
        let users = try users(pack, live)
        let counts = Self.counts(of: pack, live)
        let uniques = Self.activeUsers(of: pack, live)
        let tenant = configuration.tenant
        return try await catalog.pool.read(.dashboard) { connection -> Figures in
            var figures = Figures()
            let result = try users.run(on: connection)
            for row in 0..<result.rowCount {
                guard let id = result.string(row, 0), let count = result.int(row, 1) else { continue }
                figures.users.append((id, count))
            }
            if let counts { try Self.read(counts, tenant, into: &figures, on: connection) }
            if let uniques { try Self.read(uniques, tenant, into: &figures, on: connection) }
            return figures
        }
    }

    private func users(_ pack: LivePacks.Pack, _ live: LivePacks) throws(APIProblem) -> SQLStatement {
        let fold = try catalog.fold("top_users", of: pack, "top")
        let table = try catalog.table(fold.table, in: live)
        return SQLStatement(
            "SELECT user_id, n FROM \(table.qualified) WHERE tenant_id = \(configuration.tenant) "
                + "ORDER BY n DESC, user_id LIMIT \(configuration.topUsersMax)")
    }

    /// A counter of all conversations by time and source: its table, and the column of the source.
    private static func counts(of pack: LivePacks.Pack, _ live: LivePacks) -> (table: CatalogTable, source: String)? {
        for fold in pack.definition.folds where fold.source == .conversations {
            guard case .counter(let counter) = fold.kind, counter.bucket != nil, counter.bucket != .month,
                counter.dimensions.count == 1, let dimension = counter.dimensions.first,
                dimension.field == FieldPath(column: "source"), let table = live.tables[fold.table]
            else { continue }
            return (table, dimension.column)
        }
        return nil
    }

    /// A table of sketches of the users a day.
    private static func activeUsers(
        of pack: LivePacks.Pack, _ live: LivePacks
    ) -> (table: CatalogTable, isChunked: Bool)? {
        for fold in pack.definition.folds where fold.source == .conversations {
            guard case .unique(let unique) = fold.kind, unique.bucket == .day, unique.dimensions.isEmpty,
                unique.of == FieldPath(column: "user_id"), let table = live.tables[fold.table]
            else { continue }
            return (table, unique.isChunked(table.columns.map(\.name)))
        }
        return nil
    }

    private static let firstDay = "date_trunc('day', now()) - interval '\(days - 1) days'"

    private static func read(
        _ counts: (table: CatalogTable, source: String), _ tenant: Int32, into figures: inout Figures,
        on connection: PostgresConnection
    ) throws {
        let source = SQLStatement.quoted(counts.source)
        let bySource = try connection.execute(
            """
            SELECT \(source) AS source, sum(n)::bigint AS n FROM \(counts.table.qualified)
            WHERE tenant_id = \(tenant) GROUP BY 1 ORDER BY 2 DESC, 1
            """)
        figures.total = (0..<bySource.rowCount).reduce(0) { $0 + (bySource.int($1, 1) ?? 0) }
        // Sources come from clients: the largest are told apart.
        figures.bySource = rows(bySource, max: 50)
        let byDay = try connection.execute(
            """
            SELECT to_char(date_trunc('day', bucket), 'YYYY-MM-DD') AS day, sum(n)::bigint AS n
            FROM \(counts.table.qualified)
            WHERE tenant_id = \(tenant) AND bucket >= \(firstDay)
            GROUP BY date_trunc('day', bucket) ORDER BY date_trunc('day', bucket)
            """)
        figures.byDay = rows(byDay, max: days + 2)
    }

    private static func read(
        _ uniques: (table: CatalogTable, isChunked: Bool), _ tenant: Int32, into figures: inout Figures,
        on connection: PostgresConnection
    ) throws {
        for (start, path) in [
            ("date_trunc('day', now())", \Figures.activeToday), (firstDay, \Figures.active),
        ] {
            let columns = SketchReader.columns(isChunked: uniques.isChunked).joined(separator: ", ")
            let reader = SketchReader(
                statement: SQLStatement(
                    "SELECT \(columns) FROM \(uniques.table.qualified) WHERE tenant_id = \(tenant) "
                        + "AND bucket >= \(start)"),
                keyCount: 0, limit: 1, isChunked: uniques.isChunked)
            figures[keyPath: path] = try reader.estimate(on: connection)
        }
    }

    private static func rows(_ result: borrowing PostgresResult, max count: Int) -> JSONWriter {
        var json = JSONWriter()
        let writer = ResultRows(result)
        for row in 0..<min(count, result.rowCount) { writer.write(row, of: result, to: &json) }
        return json
    }
}
