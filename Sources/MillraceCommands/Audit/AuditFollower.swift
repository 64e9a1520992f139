internal import MillracePostgres

/// Finds each row once, in whatever order their transactions end: an id is given when a row is written, and a long migration
/// may commit after acts that began later. So it looks again at the ids that it may have missed.
struct AuditFollower {
    /// Between two looks.
    static let interval = Duration.seconds(1)
    /// Ids that it looks back: acts that may be done while one is under way.
    private static let idsBack = 1_000

    private let page: AuditPage
    private var newest: Int
    /// Rows that are there, no further back than `idsBack`.
    private var known: Set<Int>

    /// From here on: what is there now is not wanted. Blocks.
    init(_ page: AuditPage, on connection: PostgresConnection) throws(PostgresError) {
        let rows = try connection.execute(
            """
            SELECT id
            FROM public.audit_log
            WHERE id > (SELECT max(id) FROM public.audit_log) - \(Self.idsBack)
            """)
        self.page = page
        known = Set((0..<rows.rowCount).map { rows.count($0, 0) })
        newest = known.max() ?? 0
    }

    /// Takes these for shown.
    mutating func skip(_ entries: [AuditEntry]) {
        newest = max(newest, entries.last?.id ?? 0)
        known.formUnion(entries.map(\.id))
        known = known.filter { $0 > newest - Self.idsBack }
    }

    /// What has come since, oldest first. Blocks.
    mutating func next(on connection: PostgresConnection) throws(PostgresError) -> [AuditEntry] {
        let entries = try page.read(after: newest - Self.idsBack, except: known, on: connection)
        skip(entries)
        return entries
    }
}
