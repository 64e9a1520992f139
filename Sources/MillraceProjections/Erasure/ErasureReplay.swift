internal import MillraceEvent
package import MillracePostgres

/// Erases users again in rows that come back: a month that was archived, a database from a backup. Erasures that are done
/// hold a salted hash only, so each row's ids are hashed and compared. Blocking; the connection must be idle.
///
/// For a month: `run(on:of:)` on its table while nobody else sees it, before it is attached, and `renewSketches` once it is.
/// For a database: `queueAgain`, and then a daemon does the rest.
package struct ErasureReplay {
    private let connection: PostgresConnection
    private let packs: [PackDefinition]
    private let paths: [ErasurePath]
    /// Limit of one statement.
    private let timeout: Duration
    private let queue: ErasureQueue
    private let search: ErasureSearch

    package init(
        connection: PostgresConnection, packs: [PackDefinition], paths: [ErasurePath],
        timeout: Duration = .seconds(4 * 3600)
    ) {
        self.connection = connection
        self.packs = packs
        self.paths = paths
        self.timeout = timeout
        queue = ErasureQueue(on: connection)
        search = ErasureSearch(connection: connection, timeout: timeout)
    }

    /// Applies all finished erasures to the rows of `relation` (with its schema), which has the columns of `table`, in
    /// transactions of some pages each; what others count of them changes with them. `progress` is told pages done, of how
    /// many. To do it again changes nothing. Throws `PostgresError`, `PackErrors` and what `progress` throws.
    @discardableResult
    package func run(
        on relation: String, of table: PartitionedTable,
        progress: (_ pages: Int, _ of: Int) throws -> Void = { _, _ in }
    ) throws -> ErasureCounts {
        guard try search.isAnythingErased() else { return ErasureCounts() }
        let salt = try queue.salt()
        let users = try search.users(in: relation, of: table).compactMap { user in
            UniqueID(user.name).map { ErasedUser(tenant: user.tenant, id: $0, salt: salt) }
        }
        var scope = ErasureScope(users, paths: paths, packs: packs)
        if table == .analyticsEvents { scope.keys = try keys(in: relation, of: scope) }
        guard !users.isEmpty || !scope.keys.isEmpty else { return ErasureCounts() }
        let tenants = Set(users.map(\.tenant)).union(scope.keys.values.flatMap(\.keys))
        let targets = try FoldTarget.all(of: packs, on: connection)
        let leaf = ErasureLeaf(
            connection: connection, scope: scope, tenants: tenants.sorted(), targets: targets, timeout: timeout)
        let counts = try leaf.run(on: relation, of: table, progress: progress)
        // What was taken off counts by user has made rows of them again.
        var touched: Set<String> = []
        for target in targets {
            _ = try ErasureTables(connection: connection, scope: scope, target: target, timeout: timeout)
                .run(touched: &touched)
        }
        // Statistics have values of before.
        for name in [relation] + touched.sorted() {
            try connection.execute("VACUUM (ANALYZE) \(name)", timeout: timeout)
        }
        return counts
    }

    /// Makes the sketches anew that counted users of a month that is attached by now.
    package func renewSketches() throws {
        guard try queue.isThere else { return }
        let targets = try FoldTarget.all(of: packs, on: connection)
        try SketchRenewal(connection: connection, targets: targets, timeout: timeout).run { _, _ in }
    }

    /// Queues an erasure for each user of `erasures`, by their ids, who is in some table. Returns how many.
    package func queueAgain(_ erasures: [String]) throws -> Int {
        guard !erasures.isEmpty, try search.isAnythingErased() else { return 0 }
        let search = ErasureSearch(connection: connection, timeout: timeout, erasures: erasures)
        // Whom a pack knows by another name first: that one is the same user's.
        let found = try search.everywhere(packs).sorted { ($0.pack == nil ? 1 : 0, $0) < ($1.pack == nil ? 1 : 0, $1) }
        for user in found {
            _ = try queue.add(user.name, tenant: user.tenant, pack: user.pack, source: .replay)
        }
        return found.count
    }

    /// Keys of erased rows that events here are about.
    private func keys(in relation: String, of scope: ErasureScope) throws(PostgresError) -> [String: [Int32: Set<
        String
    >]] {
        var keys: [String: [Int32: Set<String>]] = [:]
        for owned in scope.folds {
            guard let path = owned.key?.path ?? owned.parent?.path,
                let fold = owned.key == nil ? owned.parent?.name : owned.name
            else { continue }
            let rows = try connection.execute(
                """
                WITH named AS MATERIALIZED (
                    SELECT DISTINCT stored.tenant_id, stored.payload #>> \(ErasureStatements.array(path)) AS key
                    FROM \(relation) AS stored
                    WHERE \(ErasureStatements.condition(owned.types))
                )
                SELECT DISTINCT named.tenant_id, named.key
                FROM named
                CROSS JOIN public.erasure_salt
                JOIN public.erasure_keys AS own
                    ON own.key_hash = sha256(salt || int4send(named.tenant_id) || convert_to('\(fold) ' || named.key, 'UTF8'))
                """, timeout: timeout)
            for row in 0..<rows.rowCount {
                let tenant = Int32(truncatingIfNeeded: rows.count(row, 0))
                keys[fold, default: [:]][tenant, default: []].insert(rows.string(row, 1) ?? "")
            }
        }
        return keys
    }
}
