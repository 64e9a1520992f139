internal import MillraceEvent
internal import MillracePostgres

/// The events of one transaction that an erasure changes, and what they are then.
struct ErasedEvents {
    private struct Change {
        var createdAt: Timestamp
        var id: UniqueID
        var newID: UniqueID
        var userID: UniqueID?
        var payload: String
        var type: String
        /// Nothing is left for a pack to make a row of.
        var isMarked: Bool
        var isOwn: Bool
    }

    let scope: ErasureScope
    let tenant: Int32
    private var changes: [Change] = []

    init(scope: ErasureScope, tenant: Int32) {
        self.scope = scope
        self.tenant = tenant
    }

    var count: Int { changes.count }

    /// Returns whether the erasure changes the row at all.
    mutating func add(_ row: StoredRow) -> Bool {
        guard let id = row.id("id") else { return false }
        let userID = row.id("user_id")
        let isOwn = userID.flatMap { scope.user($0, of: tenant) } != nil
        let type = row.text("event_type")
        let before = row.document("payload")
        // What is too large to be read is the user's as a whole.
        let left =
            before.map { scope.payload($0, type: type, tenant: tenant, isOwn: isOwn) } ?? ErasureScope.mark
        var newType = Array(type.utf8)
        let hasNamedType = scope.replaceIDs(in: &newType, of: tenant)
        let newID = scope.user(id, of: tenant)?.pseudonym ?? id
        guard isOwn || left != nil || hasNamedType || newID != id else { return false }
        changes.append(
            Change(
                createdAt: row.time("created_at"), id: id, newID: newID, userID: isOwn ? nil : userID,
                payload: String(decoding: left ?? before ?? ErasureScope.mark, as: UTF8.self),
                type: String(decoding: newType, as: UTF8.self), isMarked: left == ErasureScope.mark, isOwn: isOwn))
        return true
    }

    /// created_at, id, new id, user_id, payload, event_type: an array of each.
    var parameters: [PostgresParameter?] {
        [
            .array(changes.map(\.createdAt.rfc3339)), .array(changes.map { "\($0.id)" }),
            .array(changes.map { "\($0.newID)" }), .array(changes.map { $0.userID.map { "\($0)" } }),
            .array(changes.map(\.payload)), .array(changes.map(\.type)),
        ]
    }

    /// Brings the packs' rows of these events to what the events are now, as far as that is not a matter of keys
    /// (`ErasureTables`): texts that were blanked, and what is parked.
    func followInRows(
        of targets: [FoldTarget], on connection: PostgresConnection, timeout: Duration
    ) throws(PostgresError) {
        let names = ["created_at", "id", "is_marked", "user_id", "payload", "event_type"]
        let all: [PostgresParameter?] = [
            parameters[0], parameters[1], .array(changes.map { $0.isMarked ? "true" : "false" }),
        ]
        try connection.query(
            """
            WITH change AS (
                SELECT * FROM unnest($1::timestamptz[], $2::uuid[], $3::boolean[]) AS c (\(names[..<3].joined(separator: ", ")))
            ), gone AS (
                DELETE FROM projections.parked AS p
                USING change
                WHERE change.is_marked AND p.event_at = change.created_at AND p.event_id = change.id
                    AND p.tenant_id = \(tenant)
            )
            UPDATE projections.parked AS p
            SET key = '', message = 'erased'
            FROM change
            WHERE NOT change.is_marked AND p.event_at = change.created_at AND p.event_id = change.id
                AND p.tenant_id = \(tenant)
            """, parameters: all, timeout: timeout)
        for path in scope.paths where path.types != nil && !path.path.isEmpty {
            let own = changes.filter { $0.isOwn && !$0.isMarked && path.types?.matches($0.type) ?? false }
            guard !own.isEmpty else { continue }
            for target in targets {
                for (table, column) in Self.columns(of: path, in: target, types: Set(own.map(\.type))) {
                    try connection.query(
                        """
                        UPDATE "\(target.schema)"."\(table)"
                        SET "\(column)" = ''
                        WHERE tenant_id = \(tenant) AND event_id = ANY ($1::uuid[]) AND "\(column)" <> ''
                        """, parameters: [.array(own.map { "\($0.id)" })], timeout: timeout)
                }
            }
        }
    }

    /// Columns of texts that are filled from the path, and those of histories.
    private static func columns(
        of path: ErasurePath, in target: FoldTarget, types: Set<String>
    ) -> [(table: String, column: String)] {
        target.pack.folds.filter { fold in types.contains { fold.makesRows(of: $0) } }.flatMap { fold in
            let mappings: [ColumnMapping] =
                switch fold.kind {
                case .entity(let entity): entity.columns
                case .append(let columns): columns
                case .counter, .top, .unique: []
                }
            return mappings.filter { $0.field == FieldPath(column: "payload", path: path.path) }.flatMap { mapping in
                [fold.table, HistoryTables.events(of: fold.table)].filter {
                    target.tables[$0]?.column(mapping.column)?.isText ?? false
                }.map { ($0, mapping.column) }
            }
        }
    }
}
