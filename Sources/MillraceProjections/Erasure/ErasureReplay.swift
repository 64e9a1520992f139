internal import MillraceEvent
package import MillracePostgres

/// Erases users again in rows that come back: a month that was archived, a database from a backup. Erasures that are done
/// hold a salted hash only, so each row's ids are hashed and compared. Blocking; the connection must be idle.
///
/// For a month: `run(on:of:)` on its table while nobody else sees it, before it is attached, and `renewSketches` once it is.
/// For a database: `queueAgain`, and then a daemon does the rest.
package struct ErasureReplay {
    /// A UUID in a text, with hyphens or without.
    private static let uuid = "[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"

    private let connection: PostgresConnection
    private let packs: [PackDefinition]
    private let paths: [ErasurePath]
    /// Limit of one statement.
    private let timeout: Duration
    private let queue: ErasureQueue

    package init(
        connection: PostgresConnection, packs: [PackDefinition], paths: [ErasurePath],
        timeout: Duration = .seconds(4 * 3600)
    ) {
        self.connection = connection
        self.packs = packs
        self.paths = paths
        self.timeout = timeout
        queue = ErasureQueue(on: connection)
    }

    /// Applies all finished erasures to the rows of `relation` (with its schema), which has the columns of `table`, in
    /// transactions of some pages each; what others count of them changes with them. `progress` is told pages done, of how
    /// many. To do it again changes nothing. Throws `PostgresError`, `PackErrors` and what `progress` throws.
    @discardableResult
    package func run(
        on relation: String, of table: PartitionedTable,
        progress: (_ pages: Int, _ of: Int) throws -> Void = { _, _ in }
    ) throws -> ErasureCounts {
        guard try isAnythingDone() else { return ErasureCounts() }
        let salt = try queue.salt()
        let users = try users(in: relation, of: table).map {
            ErasedUser(tenant: $0.tenant, id: $0.id, salt: salt)
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

    /// Queues an erasure for each user of a finished one whose id is in some table. Returns how many.
    package func queueAgain() throws -> Int {
        guard try isAnythingDone() else { return 0 }
        var found: Set<Found> = []
        for partition in try Partitions(connection: connection).list() where !partition.isDetachPending {
            found.formUnion(try users(in: partition.relation, of: partition.table))
        }
        for user in found.sorted(by: { ($0.tenant, "\($0.id)") < ($1.tenant, "\($1.id)") }) {
            _ = try queue.add("\(user.id)", tenant: user.tenant, source: .replay)
        }
        return found.count
    }

    private struct Found: Hashable {
        var tenant: Int32
        var id: UniqueID
    }

    private func isAnythingDone() throws(PostgresError) -> Bool {
        guard try queue.isThere else { return false }
        return try connection.execute("SELECT EXISTS (SELECT FROM public.erasures WHERE user_hash IS NOT NULL)").bool(
            0, 0)
            ?? false
    }

    /// Erased users whose id stands in a column or in a document.
    private func users(in relation: String, of table: PartitionedTable) throws(PostgresError) -> Set<Found> {
        let texts =
            switch table {
            case .analyticsEvents:
                "concat_ws(' ', stored.event_type, \(PrintedSize.guarded("stored.payload"))::text)"
            case .conversations:
                "concat_ws(' ', conversation_id, question, response, source, \(PrintedSize.guarded("stored.metadata"))::text)"
            }
        let rows = try connection.execute(
            """
            WITH named AS (
                SELECT tenant_id, user_id AS id FROM \(relation) WHERE user_id IS NOT NULL
                UNION
                SELECT tenant_id, id FROM \(relation)
                UNION
                SELECT stored.tenant_id, found[1]::uuid
                FROM \(relation) AS stored
                CROSS JOIN LATERAL regexp_matches(\(texts), '\(Self.uuid)', 'gi') AS m (found)
            )
            SELECT DISTINCT named.tenant_id, named.id
            FROM named
            CROSS JOIN public.erasure_salt
            JOIN public.erasures AS own
                ON own.user_hash = sha256(salt || int4send(named.tenant_id) || uuid_send(named.id))
            """, timeout: timeout)
        return Set(
            (0..<rows.rowCount).compactMap { row in
                guard let id = rows.string(row, 1).flatMap(UniqueID.init) else { return nil }
                return Found(tenant: Int32(truncatingIfNeeded: rows.count(row, 0)), id: id)
            })
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
                SELECT DISTINCT named.tenant_id, named.key
                FROM (
                    SELECT DISTINCT stored.tenant_id, stored.payload #>> \(ErasureStatements.array(path)) AS key
                    FROM \(relation) AS stored
                    WHERE \(ErasureStatements.condition(owned.types))
                ) AS named
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
