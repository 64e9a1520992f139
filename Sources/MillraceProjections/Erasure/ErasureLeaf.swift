internal import MillraceEvent
internal import MillracePostgres

/// Erases in one month's table, in transactions of some pages each, and keeps the counts of the packs' versions to what the
/// rows are then. Blocking; the connection is idle between its calls. To do it again changes nothing.
struct ErasureLeaf {
    /// Saves that are deleted in one transaction, in which others' saves wait.
    static let savesAtOnce = 200
    private static let pagesAtOnce = 64

    let connection: PostgresConnection
    let scope: ErasureScope
    let targets: [FoldTarget]
    let tally: ErasureTally
    let timeout: Duration
    let fold = BatchFold(slot: Rebuild.slot)

    /// Ascending.
    private let tenants: [Int32]

    /// `tenants`: nil for those of the users.
    init(
        connection: PostgresConnection, scope: ErasureScope, tenants: [Int32]? = nil, targets: [FoldTarget],
        tally: ErasureTally = ErasureTally(), timeout: Duration
    ) {
        self.tally = tally
        self.connection = connection
        self.scope = scope
        self.tenants = tenants ?? Set(scope.users.map(\.tenant)).sorted()
        self.targets = targets
        self.timeout = timeout
    }

    /// `relation`: a month's table with its schema. `progress` is told pages done, of how many.
    func run(
        on relation: String, of table: PartitionedTable, progress: (_ pages: Int, _ of: Int) throws -> Void
    ) throws -> ErasureCounts {
        _ = try connection.lookForCitus()
        var counts = ErasureCounts()
        if table == .conversations {
            for tenant in tenants { counts.saves += try eraseSaves(of: tenant, in: relation) }
        }
        try forEachPage(of: relation, progress) { page in
            for tenant in tenants {
                switch table {
                case .analyticsEvents: counts.events += try eraseEvents(of: tenant, in: relation, page)
                case .conversations: counts.mentions += try renameInSaves(of: tenant, in: relation, page)
                }
            }
        }
        return counts
    }

    private func forEachPage(
        of relation: String, _ progress: (_ pages: Int, _ of: Int) throws -> Void,
        _ body: (_ page: String) throws -> Void
    ) throws {
        var pages = try LeafPages(relation, connection: connection, blocks: Self.pagesAtOnce)
        let start = pages.progress.done
        while let page = pages.take() {
            try body(page)
            try progress(pages.progress.done - start, pages.progress.of - start)
        }
    }

    /// How many rows would change, and which sketches. Reads only.
    func count(
        in relation: String, of table: PartitionedTable, _ sketches: inout ErasedSketches,
        progress: (_ pages: Int, _ of: Int) throws -> Void
    ) throws -> ErasureCounts {
        _ = try connection.lookForCitus()
        var counts = ErasureCounts()
        try forEachPage(of: relation, progress) { page in
            for tenant in tenants {
                switch table {
                case .analyticsEvents:
                    var changes = ErasedEvents(scope: scope, tenant: tenant)
                    for stored in try concernedEvents(of: tenant, in: relation, page, isLocked: false)
                    where changes.add(stored) {
                        sketches.add(stored, of: table, versions: stored.versions)
                    }
                    counts.events += changes.count
                case .conversations:
                    let statements = ErasureStatements(scope: scope, tenant: tenant)
                    let own = "stored.tenant_id = \(tenant) AND stored.user_id = ANY (\(statements.ids))"
                    let rows = try connection.query(
                        connection.hasCitus
                            ? Self.apart(.conversations, in: relation, where: "\(page) AND \(own)")
                            : """
                            SELECT \(Self.savedColumns), \(ConversationStatuses.folded)
                            FROM \(relation) AS stored
                            WHERE \(page) AND \(own)
                            """, answersBinary: true, timeout: timeout)
                    counts.saves += rows.rowCount
                    for row in 0..<rows.rowCount {
                        let stored = StoredRow(rows, row, of: table, foldedColumn: table.columns.count)
                        sketches.add(stored, of: table, versions: stored.versions)
                    }
                    counts.mentions += try connection.execute(
                        """
                        SELECT count(*)
                        FROM \(relation) AS stored
                        WHERE \(page) AND NOT (\(own)) AND \(statements.isNamedInSave)
                        """, timeout: timeout
                    ).count(0, 0)
                }
            }
        }
        return counts
    }

    /// `PartitionedTable.columns` of a row `stored` of the conversations.
    static var savedColumns: String {
        PartitionedTable.conversations.columns
            .map { $0 == "metadata" ? PrintedSize.guarded("stored.metadata") : "stored.\($0)" }.joined(separator: ", ")
    }

    // MARK: - Saves

    private func eraseSaves(of tenant: Int32, in relation: String) throws -> Int {
        let statements = ErasureStatements(scope: scope, tenant: tenant)
        var total = 0
        while true {
            let count = try transaction { () throws(PostgresError) in
                try connection.execute(ConversationStatuses.aloneStatement, timeout: timeout)
                let table = PartitionedTable.conversations
                let rows = try connection.query(
                    connection.hasCitus
                        ? savesGoneApart(of: tenant, in: relation)
                        : """
                        WITH gone AS (
                            DELETE FROM \(relation) AS stored
                            WHERE stored.ctid = ANY (ARRAY(
                                SELECT own.ctid
                                FROM \(relation) AS own
                                WHERE own.tenant_id = \(tenant) AND own.user_id = ANY (\(statements.ids))
                                LIMIT \(Self.savesAtOnce)
                            ))
                            RETURNING *
                        ), counted AS (
                            INSERT INTO public.erased_rows AS e (batch_id, conversations)
                            SELECT batch_id, count(*)
                            FROM gone
                            GROUP BY batch_id
                            ON CONFLICT (batch_id) DO UPDATE
                            SET conversations = e.conversations + EXCLUDED.conversations
                        )
                        SELECT \(Self.savedColumns), \(ConversationStatuses.folded), status
                        FROM gone AS stored
                        """, answersBinary: true, timeout: timeout)
                guard rows.rowCount > 0 else { return 0 }
                fold.begin(targets)
                var sketches = ErasedSketches(targets)
                for row in 0..<rows.rowCount {
                    let stored = StoredRow(rows, row, of: table, foldedColumn: table.columns.count)
                    sketches.add(stored, of: table, versions: stored.versions)
                    guard rows.string(row, table.columns.count + 1) == "active" else { continue }
                    stored.bytes.withUnsafeBytes { fold.correct(table, $0, by: -1, in: stored.versions) }
                }
                try apply()
                try sketches.note(on: connection)
                var counts = ErasureCounts()
                counts.saves = rows.rowCount
                try tally.add(counts, on: connection)
                return rows.rowCount
            }
            total += count
            if count == 0 { return total }
        }
    }

    private func renameInSaves(of tenant: Int32, in relation: String, _ page: String) throws -> Int {
        let statements = ErasureStatements(scope: scope, tenant: tenant)
        let texts = ["conversation_id", "question", "response", "source"].map {
            "\($0) = \(statements.renamed("stored.\($0)"))"
        }
        if connection.hasCitus { return try renameInSavesApart(of: tenant, in: relation, page) }
        return try transaction { () throws(PostgresError) in
            var counts = ErasureCounts()
            counts.mentions = try connection.execute(
                """
                UPDATE \(relation) AS stored
                SET \(texts.joined(separator: ", ")), metadata = \(statements.renamed("stored.metadata::text"))::jsonb,
                    id = \(statements.renamed(uuid: "stored.id"))
                WHERE \(page) AND \(statements.isNamedInSave)
                """, timeout: timeout
            ).affectedRows
            try tally.add(counts, on: connection)
            return counts.mentions
        }
    }

    // MARK: - Events

    private func eraseEvents(of tenant: Int32, in relation: String, _ page: String) throws -> Int {
        let table = PartitionedTable.analyticsEvents
        return try transaction { () throws(PostgresError) in
            let rows = try concernedEvents(of: tenant, in: relation, page, isLocked: true)
            var changes = ErasedEvents(scope: scope, tenant: tenant)
            fold.begin(targets)
            var sketches = ErasedSketches(targets)
            for stored in rows where changes.add(stored) {
                sketches.add(stored, of: table, versions: stored.versions)
                stored.bytes.withUnsafeBytes { fold.correct(table, $0, by: -1, in: stored.versions) }
            }
            guard changes.count > 0 else { return 0 }
            if connection.hasCitus {
                for statement in Self.changesApart(of: tenant, in: relation) {
                    addBack(
                        try connection.query(
                            statement, parameters: changes.parameters, answersBinary: true, timeout: timeout))
                }
            } else {
                addBack(
                    try connection.query(
                        """
                        UPDATE \(relation) AS stored
                        SET user_id = change.user_id, payload = change.payload, id = change.new_id, event_type = change.event_type
                        FROM unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::uuid[], $5::jsonb[], $6::text[])
                            AS change (created_at, id, new_id, user_id, payload, event_type)
                        WHERE stored.created_at = change.created_at AND stored.id = change.id AND stored.tenant_id = \(tenant)
                        RETURNING \(table.columns.map { "stored.\($0)" }.joined(separator: ", ")), \(ConversationStatuses.folded)
                        """, parameters: changes.parameters, answersBinary: true, timeout: timeout))
            }
            try apply()
            try sketches.note(on: connection)
            try changes.followInRows(of: targets, on: connection, timeout: timeout)
            var counts = ErasureCounts()
            counts.events = changes.count
            try tally.add(counts, on: connection)
            return changes.count
        }
    }

    /// Counts changed events as they are now.
    private func addBack(_ rows: borrowing PostgresResult) {
        let table = PartitionedTable.analyticsEvents
        for row in 0..<rows.rowCount {
            let stored = StoredRow(rows, row, of: table, foldedColumn: table.columns.count)
            stored.bytes.withUnsafeBytes { fold.correct(table, $0, by: 1, in: stored.versions) }
        }
    }

    /// Rows that the erasure may change. `isLocked`: for update.
    private func concernedEvents(
        of tenant: Int32, in relation: String, _ page: String, isLocked: Bool
    ) throws(PostgresError) -> [StoredRow] {
        let table = PartitionedTable.analyticsEvents
        let statements = ErasureStatements(scope: scope, tenant: tenant)
        let columns = table.columns.map { $0 == "payload" ? "d.document" : "stored.\($0)" }.joined(separator: ", ")
        let rows = try connection.query(
            connection.hasCitus
                ? Self.apart(
                    table, in: relation,
                    where: "\(page) AND \(statements.isConcerned(document: PrintedSize.guarded("stored.payload")))")
                : """
                SELECT \(columns), \(ConversationStatuses.folded)
                FROM \(relation) AS stored
                CROSS JOIN LATERAL (SELECT \(PrintedSize.guarded("stored.payload")) AS document) AS d
                WHERE \(page) AND \(statements.isConcerned(document: "d.document"))
                \(isLocked ? "FOR UPDATE OF stored" : "")
                """, answersBinary: true, timeout: timeout)
        return (0..<rows.rowCount).map { StoredRow(rows, $0, of: table, foldedColumn: table.columns.count) }
    }

    // MARK: - Transactions

    private func apply() throws(PostgresError) {
        fold.refused = []
        let outcome = try fold.apply(batchID: 0, on: connection)
        if let failure = outcome.failures.first { throw failure.error }
    }

    func transaction<Answer>(_ body: () throws(PostgresError) -> Answer) throws -> Answer {
        try ErasureTransaction.run(on: connection, body)
    }
}
