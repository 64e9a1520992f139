internal import MillracePostgres

/// The statements on the history of an entity's table (`HistoryTables`).
///
/// A *place* is the `ctid` of a row of the history, as text: nobody changes such rows, so a place says which event it is
/// until the transaction ends. Statements that write are for the session that has the `turn`, except for the admission.
struct EntityHistory {
    /// The statements on patches; blocking.
    struct Patches {
        /// Works out the rows of patches at and after places ($1). Answers the places of all of them, with SQLSTATE,
        /// constraint and message of those that are refused.
        fileprivate let merge: String
        /// Parks those that are refused, and ends the parking of the others.
        fileprivate let refusals: String
        /// Notes the values that entities (the key's arrays) want, whose rows have changed.
        let claim: String
        /// Of entities at places ($1): one place of each, and that of the event that its row is made of.
        let latest: String

        /// Works out the rows of patches at and after `places`, and parks those that are refused. Returns the places of
        /// all, and how many are refused.
        func work(
            from places: [String?], batchID: Int64, timeout: Duration? = nil, on connection: PostgresConnection
        ) throws(PostgresError) -> (places: [String?], refusedCount: Int) {
            let found = try connection.query(merge, parameters: [.array(places)], timeout: timeout)
            guard found.rowCount > 0 else { return ([], 0) }
            let columns = (0..<4).map { column in (0..<found.rowCount).map { found.string($0, column) } }
            try connection.query(
                refusals, parameters: columns.map { .array($0) } + [.integer(batchID)], timeout: timeout)
            return (columns[0], columns[1].count { $0 != nil })
        }
    }

    /// Of the unique indexes, in their order.
    let constraints: [String]
    /// Taken by who only admits: waits for the one that has the turn.
    let sharedTurn: String
    /// Waits for all other sessions that fold into the table.
    let turn: String
    /// Puts events (all columns' arrays) into the history and the last ones of them into the table. Answers whether an
    /// entity among them ever wanted a value that another wanted too: then it must be rolled back.
    let admission: String
    /// Puts events into the history only; answers the places of those that were not there.
    let record: String
    /// Notes who wants the values of the rows at places ($1).
    let claim: String
    /// Of an entity with patches.
    let patches: Patches?
    /// Numbers (from 1) of keys (the key's arrays) whose entities want what others want too.
    let contended: String
    /// A place of each entity that contends, over whatever others, with those of the keys (the key's arrays).
    let members: String
    /// Locks the rows of the entities at places ($1), in the order of their keys, and puts those into the history that
    /// someone else wrote into the table; answers their places.
    let absorption: String
    /// The same for rows that have values which these entities ever wanted.
    let holderAbsorption: String
    /// Events of the entities at places ($1), in their order: entity's number from 1, place, and of each unique index two
    /// hashes.
    let events: String
    /// Deletes rows of entities ($1: a place of each) that are not made of the events at places ($2, null: no row).
    let removal: String
    /// Puts the events at places ($1) into the table as rows.
    let put: String
    /// Makes the entities' ($1: a place of each) rows of `projections.parked` that wait the events at places ($2) that wait
    /// at constraints ($3) for entities (a place of each: $4); $5: the batch. Answers their event_id and tenant_id.
    let waiting: String
    /// Fills an empty history from the table.
    let fill: String

    /// nil: the table has none.
    init?(of fold: FoldDefinition, columns: [FoldColumn], keyCount: Int, target: FoldTarget) {
        guard case .entity = fold.kind, let catalog = target.tables[fold.table],
            target.tables[HistoryTables.events(of: fold.table)] != nil
        else { return nil }
        let sql = HistorySQL(
            fold: fold.name, table: "\"\(target.schema)\".\"\(fold.table)\"",
            history: "\"\(target.schema)\".\"\(HistoryTables.events(of: fold.table))\"",
            values: "\"\(target.schema)\".\"\(HistoryTables.values(of: fold.table))\"", catalog: catalog,
            columns: columns, keyCount: keyCount)
        constraints = catalog.uniques.map(\.name)
        let lock = "hashtextextended('millrace history \(sql.table)', 0)"
        sharedTurn = "SELECT pg_advisory_xact_lock_shared(\(lock))"
        turn = "SELECT pg_advisory_xact_lock(\(lock))"
        admission = sql.admission
        record = sql.record
        claim = sql.claim(of: "(SELECT h.* FROM \(sql.rows(at: "$1")))")
        patches =
            fold.hasPatches
            ? Patches(
                merge: "SELECT * FROM \"\(target.schema)\".\"\(HistoryTables.merge(of: fold.table))\"($1::text[])",
                refusals: sql.refusals(versionID: target.parkedID, pack: target.pack.name),
                claim: sql.claimOfEntities, latest: sql.latest) : nil
        contended = sql.contended
        members = sql.members
        absorption = sql.absorption
        holderAbsorption = sql.holderAbsorption
        events = sql.events
        removal = sql.removal
        put = sql.put
        waiting = sql.waiting(versionID: target.parkedID, pack: target.pack.name)
        fill = """
            INSERT INTO \(sql.history) (\(sql.stored)) SELECT \(sql.stored) FROM \(sql.table);
            \(sql.claim(of: sql.history))
            """
    }
}
