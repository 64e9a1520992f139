import MillraceEvent
internal import MillracePostgres

/// Finds users of erasures whose ids nobody knows any more: every id that stands in a row is hashed and compared. Blocking;
/// reads only.
struct ErasureSearch {
    /// A UUID in a text, with hyphens or without.
    private static let uuid = "[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"

    struct User: Hashable, Comparable {
        var tenant: Int32
        /// As a UUID, or as the tenant has it.
        var name: String
        /// Which pack alone knows the user by the name; nil: all.
        var pack: String?

        static func < (left: User, right: User) -> Bool {
            (left.tenant, left.pack ?? "", left.name) < (right.tenant, right.pack ?? "", right.name)
        }
    }

    let connection: PostgresConnection
    /// Limit of one statement.
    let timeout: Duration
    /// By their ids; nil: all.
    var erasures: [String]?

    /// Whether any hash is there to compare with.
    func isAnythingErased() throws(PostgresError) -> Bool {
        guard try ErasureQueue(on: connection).isThere else { return false }
        return try connection.execute("SELECT EXISTS (SELECT FROM public.erasures WHERE user_hash IS NOT NULL)").bool(
            0, 0)
            ?? false
    }

    /// Those whose id stands in a column or in a document of a month's table, `relation` with its schema.
    func users(in relation: String, of table: PartitionedTable) throws(PostgresError) -> Set<User> {
        let texts =
            switch table {
            case .analyticsEvents:
                "concat_ws(' ', stored.event_type, \(PrintedSize.guarded("stored.payload"))::text)"
            case .conversations:
                "concat_ws(' ', conversation_id, question, response, source, \(PrintedSize.guarded("stored.metadata"))::text)"
            }
        return try users(
            named: """
                SELECT tenant_id, user_id AS id FROM \(relation) WHERE user_id IS NOT NULL
                UNION
                SELECT tenant_id, id FROM \(relation)
                UNION
                \(Self.ids(in: texts, of: relation))
                """)
    }

    /// All that are anywhere in the database, in packs' tables too: also those whom packs know by no UUID.
    func everywhere(_ packs: [PackDefinition]) throws -> Set<User> {
        var found: Set<User> = []
        for partition in try Partitions(connection: connection).list() where !partition.isDetachPending {
            found.formUnion(try users(in: partition.relation, of: partition.table))
        }
        for relation in ErasureRest.tables {
            let texts =
                relation == "public.outbox"
                ? "concat_ws(' ', stored.id, stored.user_id, stored.event_type, \(PrintedSize.guarded("stored.payload"))::text)"
                : "stored::text"
            // Of a line that was refused the tenant may not be known.
            let tenants = relation == "public.dead_letters" ? "(SELECT DISTINCT tenant_id FROM public.erasures)" : nil
            found.formUnion(try users(named: Self.ids(in: texts, of: relation, tenants: tenants)))
        }
        let owned = OwnedFold.all(of: packs, [])
        for target in try FoldTarget.all(of: packs, on: connection) {
            for table in target.tables.values where table.column("tenant_id") != nil {
                let relation = "\"\(target.schema)\".\"\(table.name)\""
                let columns = table.columns.filter { $0.isText || ["uuid", "jsonb", "json"].contains($0.type) }
                if !columns.isEmpty {
                    let texts = "concat_ws(' ', \(columns.map { "stored.\"\($0.name)\"" }.joined(separator: ", ")))"
                    found.formUnion(try users(named: Self.ids(in: texts, of: relation)))
                }
                for users in owned where users.isOfUsers && users.pack == target.pack.name {
                    guard let key = users.key?.column, table.column(key) != nil,
                        [users.fold.table, HistoryTables.events(of: users.fold.table)].contains(table.name)
                    else { continue }
                    found.formUnion(
                        try keys(of: users, named: "SELECT tenant_id, \"\(key)\"::text AS key FROM \(relation)"))
                }
            }
        }
        for users in owned where users.isOfUsers {
            for own in owned where own.pack == users.pack {
                let path =
                    own.name == users.name ? own.key?.path : own.parent?.name == users.name ? own.parent?.path : nil
                guard let path else { continue }
                let named = """
                    SELECT stored.tenant_id, stored.payload #>> \(ErasureStatements.array(path)) AS key
                    FROM public.analytics_events AS stored
                    WHERE \(ErasureStatements.condition(own.types))
                    """
                found.formUnion(try keys(of: users, named: named))
            }
        }
        return found
    }

    /// `texts`: an expression of a row `stored` of `relation`. `tenants`: where it may be one of those instead of the row's.
    private static func ids(in texts: String, of relation: String, tenants: String? = nil) -> String {
        let others = tenants.map {
            " JOIN \($0) AS known (tenant) ON known.tenant = stored.tenant_id OR stored.tenant_id = 0"
        }
        // A subquery of its own, since Citus takes no LATERAL over a distributed table.
        return """
            SELECT \(tenants == nil ? "stored.tenant_id" : "known.tenant"), found[1]::uuid
            FROM (SELECT * FROM \(relation) OFFSET 0) AS stored\(others ?? "")
            CROSS JOIN LATERAL regexp_matches(\(texts), '\(uuid)', 'gi') AS m (found)
            """
    }

    /// Of tenants and ids.
    private func users(named: String) throws(PostgresError) -> Set<User> {
        let rows = try connection.execute(
            """
            WITH named (tenant_id, id) AS MATERIALIZED (
                \(named)
            )
            SELECT DISTINCT named.tenant_id, named.id
            FROM named
            CROSS JOIN public.erasure_salt
            JOIN public.erasures AS own
                ON own.user_hash = sha256(salt || int4send(named.tenant_id) || uuid_send(named.id))
            WHERE \(wanted.map { "own.id = ANY (\($0))" } ?? "true")
            """, timeout: timeout)
        return Set(
            (0..<rows.rowCount).map { row in
                User(tenant: Int32(truncatingIfNeeded: rows.count(row, 0)), name: rows.string(row, 1) ?? "")
            })
    }

    /// `uuid[]`.
    private var wanted: String? { erasures.map { "\(ErasureStatements.array($0))::uuid[]" } }

    /// Those that went through the tables together have their keys at one of them.
    private static func haveKeys(_ wanted: String) -> String {
        """
        own.erasure_id IN (
                SELECT id
                FROM public.erasures
                WHERE id = ANY (\(wanted))
                    OR tables_at IN (SELECT tables_at FROM public.erasures WHERE id = ANY (\(wanted)))
            )
        """
    }

    /// Of tenants and keys of a pack's users.
    private func keys(of users: OwnedFold, named: String) throws(PostgresError) -> Set<User> {
        let rows = try connection.execute(
            """
            WITH named AS MATERIALIZED (
                \(named)
            )
            SELECT DISTINCT named.tenant_id, named.key
            FROM (SELECT DISTINCT tenant_id, key FROM named) AS named
            CROSS JOIN public.erasure_salt
            JOIN public.erasure_keys AS own
                ON own.key_hash = sha256(
                    salt || int4send(named.tenant_id)
                    || convert_to(\(ErasureStatements.quoted(users.name + " ")) || named.key, 'UTF8')
                )
            WHERE \(wanted.map(Self.haveKeys) ?? "true")
            """, timeout: timeout)
        return Set(
            (0..<rows.rowCount).map { row in
                let key = rows.string(row, 1) ?? ""
                return User(
                    tenant: Int32(truncatingIfNeeded: rows.count(row, 0)), name: key,
                    pack: UniqueID(key) == nil ? users.pack : nil)
            })
    }
}

extension OwnedFold {
    /// Whether it is the table of the pack's users.
    var isOfUsers: Bool { parent == nil && !isTyped }
}
