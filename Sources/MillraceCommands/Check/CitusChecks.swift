internal import MillraceConsole
internal import MillracePostgres
internal import MillraceProjections

/// Whether the tables of a Citus cluster lie where Millrace can keep its promises, and what the cluster is. Nothing to say
/// without the extension, unless it is asked for.
struct CitusChecks {
    let policy: DistributionPolicy
    let packs: [PackDefinition]
    let connection: PostgresConnection

    private static let name = "distribution"

    func run() throws(PostgresError) -> [CheckResult] {
        guard let catalog = try CitusCatalog(connection) else {
            guard policy == .citus else { return [] }
            return [
                CheckResult(
                    Self.name, ok: false, detail: "database.distribution is citus, and the extension is not there",
                    fix: "CREATE EXTENSION citus on every node, then `millrace migrate up`; or set it to none.")
            ]
        }
        let tables = try catalog.tables()
        return [try standing(catalog, tables), misplaced(tables), try commits()]
    }

    /// Which of the tables that may be distributed are.
    private func standing(
        _ catalog: CitusCatalog, _ tables: [CitusCatalog.Table]
    ) throws(PostgresError) -> CheckResult {
        let own = DistributedTable.allCases.map { table in (table, tables.first { $0.relation == table.relation }) }
        let shards = own.compactMap { table, found in found.map { "\(table.rawValue) in \($0.shards) shards" } }
        let missing = own.filter { $0.1 == nil }.map { $0.0.rawValue }
        let cluster = "Citus \(try catalog.version()), \(try catalog.workers()) nodes with shards"
        let detail = ([cluster] + (shards.isEmpty ? ["nothing is distributed"] : shards)).joined(separator: ", ")
        if policy == .none, !shards.isEmpty {
            return .warning(
                Self.name, detail: "\(detail); database.distribution is none",
                fix: "Set database.distribution = \"citus\", so that `millrace migrate up` goes on with it.")
        }
        guard policy == .citus, !missing.isEmpty else {
            return CheckResult(Self.name, ok: true, detail: detail, fix: "")
        }
        return CheckResult(
            Self.name, ok: false, detail: "\(detail); not distributed: \(missing.joined(separator: ", "))",
            fix: "Run `millrace migrate up`.")
    }

    /// What Citus would do wrong, or not at all, if it held these.
    private func misplaced(_ tables: [CitusCatalog.Table]) -> CheckResult {
        var wrong: [(relation: String, reason: String)] = []
        let mayBe = packs.flatMap { pack in
            pack.folds.filter(\.kind.isCounted).map { "projections.\($0.table)" }
        }
        for table in tables where table.column != nil || table.shards > 0 {
            if DistributedTable.allCases.contains(where: { $0.relation == table.relation }) {
                guard table.column != DistributedTable.column else { continue }
                wrong.append((table.relation, "its rows are spread by \(table.column ?? "nothing"), not by id"))
            } else if table.relation.hasPrefix("public.") {
                wrong.append((table.relation, "it belongs on the coordinator, whose commit decides"))
            } else if !mayBe.contains(table.relation) {
                wrong.append((table.relation, "of projections, only counters and tops may be distributed"))
            }
        }
        return CheckResult(
            "distributed tables", ok: wrong.isEmpty,
            detail: wrong.isEmpty
                ? "the ledger and all that goes with it are on the coordinator"
                : wrong.prefix(5).map { "\($0.relation): \($0.reason)" }.joined(separator: "; "),
            fix: wrong.first.map { "SELECT undistribute_table('\($0.relation)'), with the daemons stopped." } ?? "")
    }

    /// Of sessions that don't set it themselves.
    private func commits() throws(PostgresError) -> CheckResult {
        let setting =
            try connection.execute(
                "SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit'"
            ).string(0, 0) ?? ""
        return CheckResult(
            "commits", ok: setting != "off", detail: "synchronous_commit is \(setting) by default",
            fix:
                "Switch it on for the role, the database and the server: with a crash of the coordinator, workers would keep "
                + "rows of which it knows nothing.")
    }
}

extension FoldKind {
    /// Rows that are added up, by keys.
    fileprivate var isCounted: Bool {
        switch self {
        case .counter, .top: true
        case .unique, .entity, .append: false
        }
    }
}
