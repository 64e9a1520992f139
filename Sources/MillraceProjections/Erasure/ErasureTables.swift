internal import MillraceEvent
internal import MillracePostgres

/// Erases in the tables of one version of a pack: rows that go with the users are deleted, with their histories; where an id
/// still stands, a pseudonym takes its place; counts by it go. Blocking; to do it again changes nothing.
struct ErasureTables {
    /// Rows in which ids are looked for anew, since others may have changed them meanwhile.
    private static let roundsMax = 20

    let connection: PostgresConnection
    let scope: ErasureScope
    let target: FoldTarget
    var tally = ErasureTally()
    let timeout: Duration

    /// Returns rows deleted or changed. `touched`: tables that have dead rows since.
    func run(touched: inout Set<String>) throws -> Int {
        var count = 0
        for tenant in Set(scope.users.map(\.tenant)).sorted() {
            count += try removeOwned(of: tenant, &touched)
            count += try rename(for: tenant, &touched)
        }
        return count
    }

    /// How many rows would be deleted or changed.
    func count() throws(PostgresError) -> Int {
        var count = 0
        for tenant in Set(scope.users.map(\.tenant)).sorted() {
            let statements = ErasureStatements(scope: scope, tenant: tenant)
            for name in rowTables.sorted() {
                guard let table = target.tables[name], table.column("tenant_id") != nil else { continue }
                let owned = scope.folds.filter { $0.pack == target.pack.name && $0.fold.table == name }
                    .compactMap { owner(of: $0, tenant) }.map { "t.\"\($0.column)\" = ANY (\($0.list))" }
                let conditions = owned + Self.columns(of: table, statements).map(\.isFound)
                guard !conditions.isEmpty else { continue }
                count += try connection.execute(
                    """
                    SELECT count(*)
                    FROM \(quoted(name)) AS t
                    WHERE t.tenant_id = \(tenant) AND (\(conditions.joined(separator: " OR ")))
                    """, timeout: timeout
                ).count(0, 0)
            }
        }
        return count
    }

    /// Every table, with its schema.
    var all: [String] { target.tables.keys.map(quoted) }

    /// Tables whose rows are counted: those of entities and appends, neither histories nor sums.
    private var rowTables: Set<String> {
        Set(
            target.pack.folds.compactMap { fold in
                switch fold.kind {
                case .entity, .append: fold.table
                case .counter, .top, .unique: nil
                }
            })
    }

    /// The column by which rows of the fold go with users, and its values that do, as an array; nil: none.
    private func owner(of owned: OwnedFold, _ tenant: Int32) -> (column: String, list: String)? {
        let (fold, name) =
            owned.key.map { (owned.name, $0.column) } ?? owned.parent.map { ($0.name, $0.column) } ?? ("", "")
        guard let column = target.tables[owned.fold.table]?.column(name), let keys = scope.keys[fold]?[tenant] else {
            return nil
        }
        let values = OwnedKeys.values(keys, of: column)
        guard !values.isEmpty else { return nil }
        return (name, "\(ErasureStatements.quoted(PostgresParameter.literal(of: values)))::\(column.type)[]")
    }

    private func quoted(_ table: String) -> String { "\"\(target.schema)\".\"\(table)\"" }

    /// The turns that whoever folds into the tables takes, in that order.
    private func takeTurns() throws(PostgresError) {
        let programs = target.pack.folds.enumerated().map { index, fold in
            (index: index, program: FoldProgram(fold, of: target, slot: Rebuild.slot) { _, _ in 0 })
        }
        if let cascade = CascadeFold(of: target, programs: programs) {
            try connection.execute(cascade.turn(isAlone: true))
        }
        for (_, program) in programs {
            if let history = program.history { try connection.execute(history.turn, timeout: timeout) }
        }
    }

    // MARK: - Rows that go

    private func removeOwned(of tenant: Int32, _ touched: inout Set<String>) throws -> Int {
        var count = 0
        var names: Set<String> = []
        // Children first: between two transactions nothing points to what is gone.
        for owned in scope.folds.reversed() where owned.pack == target.pack.name {
            if let (column, list) = owner(of: owned, tenant) {
                let isOwned = "tenant_id = \(tenant) AND \"\(column)\" = ANY (\(list))"
                count += try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
                    try takeTurns()
                    return try note(try remove(owned, where: isOwned, column, list, tenant, &names))
                }
            }
            try removeCounts(of: owned, tenant, &names)
        }
        touched.formUnion(names.map(quoted))
        return count
    }

    private func remove(
        _ owned: OwnedFold, where isOwned: String, _ column: String, _ list: String, _ tenant: Int32,
        _ touched: inout Set<String>
    ) throws(PostgresError) -> Int {
        let fold = owned.fold
        let contenders = try contenders(of: fold, column, list, tenant)
        var count = 0
        for name in [
            fold.table, HistoryTables.events(of: fold.table), CascadeTables.deaths(of: fold.table),
            CascadeTables.dying(of: fold.table), CascadeTables.moves(of: fold.table),
        ] where target.tables[name]?.column(column) != nil {
            let gone = try connection.execute("DELETE FROM \(quoted(name)) WHERE \(isOwned)", timeout: timeout)
                .affectedRows
            if gone > 0 { touched.insert(name) }
            count += name == fold.table ? gone : 0
        }
        guard owned.key != nil else { return count }
        if target.tables[HistoryTables.values(of: fold.table)] != nil {
            try releaseValues(of: fold, isOwned)
            try settle(contenders, of: fold, tenant)
        }
        return count
    }

    /// Of entities that want a unique value which one of these wanted: when and which their latest event was.
    private func contenders(
        of fold: FoldDefinition, _ column: String, _ list: String, _ tenant: Int32
    ) throws(PostgresError) -> [(at: String, id: String)] {
        let (values, events) = (HistoryTables.values(of: fold.table), HistoryTables.events(of: fold.table))
        guard target.tables[values]?.column(column) != nil, target.tables[events] != nil else { return [] }
        let rows = try connection.execute(
            """
            SELECT DISTINCT ON (e."\(column)") e.event_at::text, e.event_id::text
            FROM \(quoted(values)) AS mine
            JOIN \(quoted(values)) AS other ON other.millrace_value = mine.millrace_value AND other.tenant_id = \(tenant)
            JOIN \(quoted(events)) AS e ON e.tenant_id = \(tenant) AND e."\(column)" = other."\(column)"
            WHERE mine.tenant_id = \(tenant) AND mine."\(column)" = ANY (\(list))
                AND NOT other."\(column)" = ANY (\(list))
            ORDER BY e."\(column)", e.event_at DESC, e.event_id DESC
            """, timeout: timeout)
        return (0..<rows.rowCount).map { (rows.string($0, 0) ?? "", rows.string($0, 1) ?? "") }
    }

    /// Nobody wanted these values in the place of these entities; others are numbered anew, from 0.
    private func releaseValues(of fold: FoldDefinition, _ isOwned: String) throws(PostgresError) {
        let values = HistoryTables.values(of: fold.table)
        let keys = (target.tables[fold.table]?.primaryKey ?? []).map { "\"\($0)\"" }.joined(separator: ", ")
        try connection.execute(
            """
            WITH wanted AS (
                SELECT DISTINCT millrace_value FROM \(quoted(values)) WHERE \(isOwned)
            ), gone AS (
                DELETE FROM \(quoted(values)) AS v
                USING wanted
                WHERE v.millrace_value = wanted.millrace_value
                RETURNING v.*
            )
            INSERT INTO \(quoted(values)) (millrace_value, millrace_nth, millrace_contended, \(keys))
            SELECT millrace_value, row_number() OVER (PARTITION BY millrace_value ORDER BY millrace_nth) - 1, true, \(keys)
            FROM gone
            WHERE NOT (\(isOwned))
            """, timeout: timeout)
    }

    /// Values that are free now go to who waits for them.
    private func settle(
        _ contenders: [(at: String, id: String)], of fold: FoldDefinition, _ tenant: Int32
    ) throws(PostgresError) {
        guard !contenders.isEmpty else { return }
        var alone = target.pack
        alone.folds = [fold]
        // What goes with its rows, and what they go with, is as it was.
        alone.folds[0].cascades = []
        let own = FoldTarget(
            versionID: target.versionID, schema: target.schema, pack: alone, tables: target.tables)
        let events = BatchFold(slot: Rebuild.slot)
        events.begin([own])
        events.settlesAll()
        let pairs = contenders.map { "('\($0.at)'::timestamptz, '\($0.id)'::uuid, \(tenant))" }.joined(separator: ", ")
        _ = try BatchRows(connection: connection, pack: alone).read(
            fold.rowsTable, from: "public.\(fold.rowsTable.rawValue)",
            where: "(created_at, id, tenant_id) IN (\(pairs))",
            into: events, timeout: timeout
        ) { _ in }
        if let failure = try events.apply(batchID: 0, on: connection).failures.first { throw failure.error }
    }

    /// Counts by whom rows belong to: they are 0 by now, and name the user.
    private func removeCounts(
        of owned: OwnedFold, _ tenant: Int32, _ touched: inout Set<String>
    ) throws {
        guard let parent = owned.parent, case .entity(let entity) = owned.fold.kind,
            let keys = scope.keys[parent.name]?[tenant]
        else { return }
        for counts in entity.counts where counts.by.contains(parent.column) {
            guard let column = target.tables[counts.table]?.column(parent.column) else { continue }
            let values = OwnedKeys.values(keys, of: column)
            guard !values.isEmpty else { continue }
            let list = "\(ErasureStatements.quoted(PostgresParameter.literal(of: values)))::\(column.type)[]"
            let gone = try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
                try connection.execute(
                    """
                    DELETE FROM \(quoted(counts.table))
                    WHERE tenant_id = \(tenant) AND "\(parent.column)" = ANY (\(list))
                    """, timeout: timeout
                ).affectedRows
            }
            if gone > 0 { touched.insert(counts.table) }
        }
    }

    /// In the transaction that changed so many rows.
    private func note(_ rows: Int) throws(PostgresError) -> Int {
        var counts = ErasureCounts()
        counts.rows = rows
        try tally.add(counts, on: connection)
        return rows
    }

    // MARK: - Ids that stay

    /// Looks for ids without any lock, and changes what it finds in short transactions.
    private func rename(for tenant: Int32, _ touched: inout Set<String>) throws -> Int {
        let statements = ErasureStatements(scope: scope, tenant: tenant)
        let counted = countTables
        var count = 0
        // Entities first: their triggers move counts, which are looked at behind them.
        let tables = target.tables.values.sorted {
            (counted.contains($0.name) ? 1 : 0, $0.name) < (counted.contains($1.name) ? 1 : 0, $1.name)
        }
        for _ in 0..<Self.roundsMax {
            var found = 0
            for table in tables {
                let columns = Self.columns(of: table, statements)
                guard !columns.isEmpty, table.column("tenant_id") != nil else { continue }
                let isFound = columns.map(\.isFound).joined(separator: " OR ")
                let rows = try connection.execute(
                    """
                    SELECT t.ctid::text FROM \(quoted(table.name)) AS t WHERE t.tenant_id = \(tenant) AND (\(isFound))
                    """, timeout: timeout)
                guard rows.rowCount > 0 else { continue }
                let places = (0..<rows.rowCount).map { rows.string($0, 0) ?? "" }
                let isHere =
                    "t.ctid = ANY (\(ErasureStatements.array(places))::tid[]) AND t.tenant_id = \(tenant) AND (\(isFound))"
                touched.insert(quoted(table.name))
                let isOfRows = rowTables.contains(table.name)
                let changed = try ErasureTransaction.run(on: connection) { () throws(PostgresError) in
                    try takeTurns()
                    let changed = try connection.execute(
                        change(of: table, columns, isCount: counted.contains(table.name), where: isHere),
                        timeout: timeout
                    ).affectedRows
                    if isOfRows { _ = try note(changed) }
                    return changed
                }
                found += changed
                if isOfRows { count += changed }
            }
            if found == 0 { return count }
        }
        return count
    }

    private func change(
        of table: CatalogTable, _ columns: [RenamedColumn], isCount: Bool, where isHere: String
    ) -> String {
        // Rows that stand for the user, or that nothing is left of once the event has no user.
        let ownColumns = Set(userColumns[table.name] ?? [])
        let mustGo = columns.contains { column in
            ownColumns.contains(column.name)
                && (table.primaryKey.contains(column.name) || table.column(column.name)?.isNotNull ?? true)
        }
        guard !isCount, !mustGo else { return "DELETE FROM \(quoted(table.name)) AS t WHERE \(isHere)" }
        let set = columns.map { column in
            "\"\(column.name)\" = \(ownColumns.contains(column.name) ? column.cleared : column.renamed)"
        }
        return "UPDATE \(quoted(table.name)) AS t SET \(set.joined(separator: ", ")) WHERE \(isHere)"
    }

    /// Tables whose rows add something up.
    private var countTables: Set<String> {
        Set(
            target.pack.folds.flatMap { fold -> [String] in
                switch fold.kind {
                case .counter, .top, .unique: [fold.table]
                case .entity(let entity): entity.counts.map(\.table)
                case .append: []
                }
            })
    }

    /// By table: columns that are filled from an event's `user_id`, which is NULL now.
    private var userColumns: [String: [String]] {
        var columns: [String: [String]] = [:]
        for fold in target.pack.folds where fold.rowsTable == .analyticsEvents {
            let mappings: [ColumnMapping] =
                switch fold.kind {
                case .entity(let entity): entity.key + entity.columns
                case .append(let columns): columns
                case .counter, .top, .unique: []
                }
            let names = mappings.filter { $0.field == FieldPath(column: "user_id") }.map(\.column)
            columns[fold.table] = names
            columns[HistoryTables.events(of: fold.table)] = names
        }
        return columns
    }

    /// A column that may have an id in it.
    struct RenamedColumn {
        var name: String
        var isFound: String
        var renamed: String
        /// Without the id.
        var cleared: String
    }

    static func columns(of table: CatalogTable, _ statements: ErasureStatements) -> [RenamedColumn] {
        table.columns.filter { $0.fallback != "generated" }.compactMap { column in
            let name = "t.\"\(column.name)\""
            if column.type == "uuid" {
                return RenamedColumn(
                    name: column.name, isFound: "\(name) = ANY (\(statements.ids))",
                    renamed: statements.renamed(uuid: name),
                    cleared: "CASE WHEN \(name) = ANY (\(statements.ids)) THEN NULL ELSE \(name) END")
            }
            guard column.isText || column.type == "jsonb" || column.type == "json" || column.category == "A" else {
                return nil
            }
            let isFound = "\(name)::text ~* \(statements.pattern)"
            return RenamedColumn(
                name: column.name, isFound: isFound,
                renamed: "(\(statements.renamed("\(name)::text")))::\(column.fullType)",
                cleared: "CASE WHEN \(isFound) THEN NULL ELSE \(name) END")
        }
    }
}
