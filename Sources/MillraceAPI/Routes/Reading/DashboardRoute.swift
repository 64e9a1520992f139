internal import Hummingbird
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres
internal import MillraceProjections
internal import MillraceRoutes

/// `GET /api/v1/stats-fast/dashboard`: who asks most, by name, and how much is asked. Everything is read from the
/// projections of the pack `conversations`; names come from the identity database, in one look-up.
struct DashboardRoute: ReadingRoute {
    static let operation = APIOperation(
        .dashboard, id: "dashboard", tag: "dashboard", summary: "Top users with their names, and how much is asked",
        access: .read, answer: .init(Dashboard.self))

    private static let packName = "conversations"
    /// Of the days that are listed, today included.
    private static let days = 30
    private static let sourcesMax = 50

    let catalog: PackCatalog
    let identity: IdentityDirectory
    let configuration: ReadConfiguration

    /// What is asked of the projections.
    private struct Figures: Sendable {
        var users: [(id: String, count: Int)] = []
        var usage = Dashboard.Usage()
    }

    func respond(_ parameters: RequestParameters) async throws -> Response {
        let figures = try await catalog.read(.dashboard) { try await load($0, of: parameters.tenant) }
        let names = await identity.users(figures.users.map(\.id), of: parameters.tenant)
        let users = figures.users.map { id, count in
            Dashboard.TopUser(id: id, user: names.users[id] ?? .unknown(id), questionCount: count)
        }
        let billing = Dashboard.Billing(topUsers: users, identity: names.availability)
        return Response(Dashboard(billing: billing, usage: figures.usage))
    }

    private func load(_ live: LivePacks, of tenant: Int32) async throws -> Figures {
        let pack = try catalog.pack(Self.packName, in: live)
        let users = try users(pack, live, of: tenant)
        let counts = Self.counts(of: pack, live)
        let uniques = Self.activeUsers(of: pack, live)
        return try await catalog.servers.read(.dashboard, of: tenant) { connection -> Figures in
            var figures = Figures()
            let result = try users.run(on: connection)
            for row in 0..<result.rowCount {
                guard let id = result.string(row, 0), let count = result.int(row, 1) else { continue }
                figures.users.append((id, count))
            }
            if let counts { try Self.read(counts, tenant, into: &figures.usage, on: connection) }
            if let uniques { try Self.read(uniques, tenant, into: &figures.usage, on: connection) }
            return figures
        }
    }

    private func users(
        _ pack: LivePacks.Pack, _ live: LivePacks, of tenant: Int32
    ) throws(APIProblem) -> SQLStatement {
        let fold = try catalog.fold("top_users", of: pack, "top")
        let table = try catalog.table(fold.table, in: live)
        return SQLStatement(
            "SELECT user_id, n FROM \(table.qualified) WHERE tenant_id = \(tenant) AND n > 0 "
                + "ORDER BY n DESC, user_id LIMIT \(configuration.identity.usersMax)")
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
        _ counts: (table: CatalogTable, source: String), _ tenant: Int32, into usage: inout Dashboard.Usage,
        on connection: PostgresConnection
    ) throws {
        let source = SQLStatement.quoted(counts.source)
        let bySource = try connection.execute(
            """
            SELECT \(source) AS source, sum(n)::bigint AS n FROM \(counts.table.qualified)
            WHERE tenant_id = \(tenant) GROUP BY 1 ORDER BY 2 DESC, 1
            """)
        let sources = (0..<bySource.rowCount).map { row in
            Dashboard.SourceCount(source: bySource.string(row, 0) ?? "", n: bySource.int(row, 1) ?? 0)
        }
        usage.total = sources.reduce(0) { $0 + $1.n }
        // Sources come from clients: the largest are told apart.
        usage.bySource = Array(sources.prefix(sourcesMax))
        let byDay = try connection.execute(
            """
            SELECT to_char(date_trunc('day', bucket), 'YYYY-MM-DD') AS day, sum(n)::bigint AS n
            FROM \(counts.table.qualified)
            WHERE tenant_id = \(tenant) AND bucket >= \(firstDay)
            GROUP BY date_trunc('day', bucket) ORDER BY date_trunc('day', bucket)
            """)
        usage.byDay = (0..<min(days + 2, byDay.rowCount)).map { row in
            Dashboard.DayCount(day: byDay.string(row, 0) ?? "", n: byDay.int(row, 1) ?? 0)
        }
    }

    private static func read(
        _ uniques: (table: CatalogTable, isChunked: Bool), _ tenant: Int32, into usage: inout Dashboard.Usage,
        on connection: PostgresConnection
    ) throws {
        for (start, path) in [
            ("date_trunc('day', now())", \Dashboard.Usage.activeToday), (firstDay, \Dashboard.Usage.active),
        ] {
            let columns = SketchReader.columns(isChunked: uniques.isChunked).joined(separator: ", ")
            let reader = SketchReader(
                statement: SQLStatement(
                    "SELECT \(columns) FROM \(uniques.table.qualified) WHERE tenant_id = \(tenant) "
                        + "AND bucket >= \(start)"),
                keyCount: 0, limit: 1, isChunked: uniques.isChunked)
            usage[keyPath: path] = try reader.estimate(on: connection)
        }
    }
}

private struct Dashboard: JSONShape {
    struct TopUser: JSONShape {
        var id: String
        var user: IdentityUser
        var questionCount: Int

        static let fields: [JSONField<Self>] = [
            JSONField("user_id", \.id, as: .uuid), JSONField("email", \.user.email),
            JSONField("first_name", \.user.firstName), JSONField("last_name", \.user.lastName),
            JSONField("plan", \.user.plan), JSONField("question_count", \.questionCount),
        ]
    }

    struct Billing: JSONShape {
        var topUsers: [TopUser]
        var identity: IdentityDirectory.Availability

        static let fields: [JSONField<Self>] = [
            JSONField("top_users", \.topUsers), JSONField("identity", \.identity),
        ]
    }

    struct SourceCount: JSONShape {
        var source: String
        var n: Int

        static let fields: [JSONField<Self>] = [JSONField("source", \.source), JSONField("n", \.n)]
    }

    struct DayCount: JSONShape {
        var day: String
        var n: Int

        static let fields: [JSONField<Self>] = [JSONField("day", \.day), JSONField("n", \.n)]
    }

    /// nil where no projection counts it.
    struct Usage: JSONShape {
        var total: Int?
        var activeToday: Int?
        var active: Int?
        var bySource: [SourceCount] = []
        var byDay: [DayCount] = []

        static let fields: [JSONField<Self>] = [
            JSONField("questions_total", \.total), JSONField("active_users_today", \.activeToday),
            JSONField("active_users_30_days", \.active), JSONField("questions_by_source", \.bySource),
            JSONField("questions_by_day", \.byDay),
        ]
    }

    var billing: Billing
    var usage: Usage

    static let fields: [JSONField<Self>] = [
        JSONField("billing_stats", \.billing), JSONField("usage_stats", \.usage),
    ]
}
