internal import MillracePostgres

/// Works out patches anew where deaths have changed of what the rows point to: a patch of a row that has gone with another
/// is void. Blocking, inside the batch's transaction, by the session that is alone among those of the pack's cascades.
struct PatchRevision {
    private let history: EntityHistory
    private let patches: EntityHistory.Patches
    /// For each cascade: answers places of events by which a row pointed to one that is dying.
    private let pointing: [String]
    /// Lets the rows of entities at places ($1) go with what they point to.
    private let settlement: String

    /// nil: the fold has no patches, or its rows go with none.
    init?(_ program: FoldProgram, _ statements: CascadeStatements) {
        guard let history = program.history, let patches = history.patches, let revision = statements.revision else {
            return nil
        }
        self.history = history
        self.patches = patches
        (pointing, settlement) = revision
    }

    /// After the deaths of what the rows go with, and before those of what goes with them.
    func revise(batchID: Int64, timeout: Duration, on connection: PostgresConnection) throws(PostgresError) {
        var places: [String?] = []
        for sql in pointing {
            let found = try connection.query(sql, timeout: timeout)
            places += (0..<found.rowCount).map { found.string($0, 0) }
        }
        guard !places.isEmpty else { return }
        let patched = try patches.work(from: places, batchID: batchID, timeout: timeout, on: connection).places
        guard !patched.isEmpty else { return }
        let found = try connection.query(patches.latest, parameters: [.array(patched)], timeout: timeout)
        let members = (0..<found.rowCount).map { found.string($0, 0) }
        let rows = (0..<found.rowCount).map { found.string($0, 1) }
        try connection.query(history.removal, parameters: [.array(members), .array(rows)], timeout: timeout)
        try connection.query(history.put, parameters: [.array(rows.filter { $0 != nil })], timeout: timeout)
        try connection.query(settlement, parameters: [.array(members)], timeout: timeout)
    }
}
