import MillraceEvent
internal import MillracePostgres

/// Finds the keys of rows that go with users, in the tables of versions and in their histories, and keeps them in
/// `erasure_keys`: once the rows are gone, events of them are still found. Blocking.
struct OwnedKeys {
    let connection: PostgresConnection
    let scope: ErasureScope
    let targets: [FoldTarget]
    let salt: [UInt8]
    let timeout: Duration

    /// `scope.keys`, of what is in the tables now.
    func find() throws(PostgresError) -> [String: [Int32: Set<String>]] {
        var keys: [String: [Int32: Set<String>]] = [:]
        for tenant in Set(scope.users.map(\.tenant)).sorted() {
            for owned in scope.folds {
                var found: Set<String> = []
                if let parent = owned.parent {
                    guard let key = owned.key, let parents = keys[parent.name]?[tenant], !parents.isEmpty else {
                        continue
                    }
                    found = try named(by: parents, tenant, owned, key.path, parent.path)
                    for target in targets where target.pack.name == owned.pack {
                        found.formUnion(
                            try children(of: parents, tenant, owned.fold, key.column, parent.column, target))
                        found.subtract(
                            try moved(found, from: parents, tenant, owned.fold, key.column, parent.column, target))
                    }
                } else if !owned.isTyped {
                    for user in scope.users where user.tenant == tenant {
                        found.insert("\(user.id)")
                        if let external = user.external, user.pack.map({ $0 == owned.pack }) ?? true {
                            found.insert(external)
                        }
                    }
                }
                if !found.isEmpty { keys[owned.name, default: [:]][tenant] = found }
            }
            for (fold, found) in try ofTypedEvents(tenant) {
                keys[fold, default: [:]][tenant, default: []].formUnion(found)
            }
        }
        return keys
    }

    /// Keys of entities that events of the users are about whose type is erased as a whole (`commerce.lead_captured:*`).
    private func ofTypedEvents(_ tenant: Int32) throws(PostgresError) -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        let statements = ErasureStatements(scope: scope, tenant: tenant)
        for path in scope.paths where path.path.isEmpty {
            guard let types = path.types else { continue }
            for owned in scope.folds where owned.parent == nil && owned.types.contains(where: { $0.overlaps(types) }) {
                guard let key = owned.key, owned.isTyped else { continue }
                let rows = try connection.execute(
                    """
                    SELECT DISTINCT stored.payload #>> \(ErasureStatements.array(key.path))
                    FROM public.analytics_events AS stored
                    WHERE stored.tenant_id = \(tenant) AND stored.user_id = ANY (\(statements.ids))
                        AND \(ErasureStatements.condition([types]))
                    """, timeout: timeout)
                for row in 0..<rows.rowCount {
                    if let text = rows.string(row, 0) { found[owned.name, default: []].insert(text) }
                }
            }
        }
        return found
    }

    /// Keys of which some event says that they go with one of `parents`: also those that a table refused.
    private func named(
        by parents: Set<String>, _ tenant: Int32, _ owned: OwnedFold, _ key: [String], _ parent: [String]
    ) throws(PostgresError) -> Set<String> {
        let rows = try connection.execute(
            """
            SELECT DISTINCT stored.payload #>> \(ErasureStatements.array(key))
            FROM public.analytics_events AS stored
            WHERE stored.tenant_id = \(tenant) AND \(ErasureStatements.condition(owned.types))
                AND stored.payload #>> \(ErasureStatements.array(parent)) = ANY (\(ErasureStatements.array(parents.sorted())))
            """, timeout: timeout)
        return Set((0..<rows.rowCount).compactMap { rows.string($0, 0) })
    }

    /// Keys of rows that point to one of `parents`, or once did.
    private func children(
        of parents: Set<String>, _ tenant: Int32, _ fold: FoldDefinition, _ key: String, _ column: String,
        _ target: FoldTarget
    ) throws(PostgresError) -> Set<String> {
        guard let list = list(parents, column, of: fold, target) else { return [] }
        var found: Set<String> = []
        let histories = [fold.table, HistoryTables.events(of: fold.table), CascadeTables.moves(of: fold.table)]
        for name in histories where target.tables[name]?.column(column) != nil {
            let rows = try connection.execute(
                """
                SELECT DISTINCT "\(key)"::text
                FROM "\(target.schema)"."\(name)"
                WHERE tenant_id = \(tenant) AND "\(column)" = ANY (\(list))
                """, timeout: timeout)
            for row in 0..<rows.rowCount {
                if let text = rows.string(row, 0) { found.insert(text) }
            }
        }
        return found
    }

    /// Those whose rows are another's now.
    private func moved(
        _ keys: Set<String>, from parents: Set<String>, _ tenant: Int32, _ fold: FoldDefinition, _ key: String,
        _ column: String, _ target: FoldTarget
    ) throws(PostgresError) -> Set<String> {
        guard let list = list(parents, column, of: fold, target), let own = self.list(keys, key, of: fold, target)
        else {
            return []
        }
        let rows = try connection.execute(
            """
            SELECT "\(key)"::text
            FROM "\(target.schema)"."\(fold.table)"
            WHERE tenant_id = \(tenant) AND "\(key)" = ANY (\(own)) AND deleted_at IS NULL
                AND NOT "\(column)" = ANY (\(list))
            """, timeout: timeout)
        return Set((0..<rows.rowCount).compactMap { rows.string($0, 0) })
    }

    /// An array of the column's type of those keys that it can have; nil when there are none.
    private func list(
        _ keys: Set<String>, _ column: String, of fold: FoldDefinition, _ target: FoldTarget
    ) -> String? {
        guard let type = target.tables[fold.table]?.column(column) else { return nil }
        let values = Self.values(keys, of: type)
        guard !values.isEmpty else { return nil }
        return "\(ErasureStatements.quoted(PostgresParameter.literal(of: values)))::\(type.type)[]"
    }

    /// Those that a column can have.
    static func values(_ keys: Set<String>, of column: CatalogTable.Column) -> [String] {
        keys.filter { key in
            if column.isText { return true }
            return column.type == "uuid" ? UniqueID(key) != nil : column.isWhole && Int64(key) != nil
        }.sorted()
    }

    /// Adds `keys` to `erasure_keys`, and returns all that are there of the scope's open erasures.
    func keep(
        _ keys: [String: [Int32: Set<String>]], for erasures: [Erasure]
    ) throws(PostgresError) -> [String: [Int32: Set<String>]] {
        for (fold, tenants) in keys {
            for (tenant, texts) in tenants {
                let own = erasures.filter { $0.tenant == tenant }
                if fold.hasSuffix(OwnedFold.usersSuffix) {
                    for erasure in own {
                        try keep(texts.intersection(["\(erasure.user)", erasure.external ?? ""]), fold, of: erasure)
                    }
                } else if let last = own.last {
                    // Which of several users of the tenant they went with is of no consequence.
                    try keep(texts, fold, of: last)
                }
            }
        }
        return try Self.kept(of: erasures, on: connection)
    }

    private func keep(_ texts: Set<String>, _ fold: String, of erasure: Erasure) throws(PostgresError) {
        let hashes = texts.sorted().map { ErasedUser.hash(salt: salt, tenant: erasure.tenant, fold: fold, key: $0) }
        try connection.query(
            """
            INSERT INTO public.erasure_keys (tenant_id, erasure_id, fold, key_hash, key)
            SELECT \(erasure.tenant), $1::uuid, $2, k.hash, k.key
            FROM unnest($3::bytea[], $4::text[]) AS k (hash, key)
            ON CONFLICT DO NOTHING
            """,
            parameters: [
                .text(erasure.id), .text(fold), .array(hashes.map(Self.hex)), .array(texts.sorted()),
            ], timeout: timeout)
    }

    /// Those of erasures that are not done. Keys of users are each one's own; those of rows that went with them are the
    /// tenant's.
    static func kept(
        of erasures: [Erasure], on connection: PostgresConnection
    ) throws(PostgresError) -> [String: [Int32: Set<String>]] {
        let kept = try connection.query(
            """
            SELECT fold, tenant_id, key
            FROM public.erasure_keys
            WHERE tenant_id = ANY ($1::integer[]) AND key IS NOT NULL
                AND (erasure_id = ANY ($2::uuid[]) OR NOT fold LIKE '%\(OwnedFold.usersSuffix)')
            """, parameters: [.array(Set(erasures.map(\.tenant)).sorted()), .array(erasures.map(\.id))])
        var all: [String: [Int32: Set<String>]] = [:]
        for row in 0..<kept.rowCount {
            let tenant = Int32(truncatingIfNeeded: kept.count(row, 1))
            all[kept.string(row, 0) ?? "", default: [:]][tenant, default: []].insert(kept.string(row, 2) ?? "")
        }
        return all
    }

    static func hex(_ bytes: [UInt8]) -> String {
        "\\x" + bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
    }
}
