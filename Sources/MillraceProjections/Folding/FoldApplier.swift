internal import MillraceEvent
internal import MillracePostgres

/// Puts one version's folds of a batch into their tables, alone, so that what is refused is found. Blocking, inside the
/// batch's transaction.
struct FoldApplier {
    let target: FoldTarget
    let batchID: Int64
    let connection: PostgresConnection
    /// Events that `applyCarefully` has set aside.
    private(set) var parked: [ParkedEvent] = []
    /// Tuples that were set aside and that several events made, each as it stands for all of them.
    private(set) var shared: [(tuple: Int, parking: Parking)] = []
    /// Events that wait, and refused patches: they are in `projections.parked` already.
    private(set) var parkedInHistory = 0

    init(target: FoldTarget, batchID: Int64, connection: PostgresConnection) {
        self.target = target
        self.batchID = batchID
        self.connection = connection
    }

    /// All of a fold at once. Throws when any value is refused.
    mutating func apply(
        _ program: FoldProgram, _ accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) {
        guard let history = program.history else {
            return try put(accumulator.pointee.winningTuples, of: accumulator, program)
        }
        guard accumulator.pointee.tuples.count > 0 else { return }
        var fold = HistoryFold(program, history, target: target, batchID: batchID, connection: connection)
        try fold.apply(accumulator)
        parkedInHistory += fold.parkedCount
    }

    /// Puts each part in after a savepoint; a part that is refused is halved down to single rows, which are parked. Of
    /// an entity every event of the batch is tried, because the winner may be the one that is refused. Returns the tuples
    /// that went in, of each key the last.
    mutating func applyCarefully(
        _ program: FoldProgram, _ accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) -> [Int] {
        var accepted: [Int] = []
        guard let history = program.history else {
            let refused = try connection.halve(accumulator.pointee.tuples.count) { (part) throws(PostgresError) in
                try put(Array(part), of: accumulator, program)
                accepted += part
            }
            for (index, error) in refused { try park(index, of: accumulator, program, error) }
            return accumulator.pointee.winners(among: accepted)
        }
        guard accumulator.pointee.tuples.count > 0 else { return [] }
        var fold = HistoryFold(program, history, target: target, batchID: batchID, connection: connection)
        try fold.takeTurn()
        var places: [String?] = []
        let refused = try connection.halve(accumulator.pointee.tuples.count) { (part) throws(PostgresError) in
            places += try fold.record(Array(part), of: accumulator)
            accepted += part
        }
        for (index, error) in refused { try park(index, of: accumulator, program, error) }
        let winners = accumulator.pointee.winners(among: accepted)
        try fold.settle(winners, of: accumulator, recordedAt: places)
        parkedInHistory += fold.parkedCount
        return winners
    }

    private func put(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram
    ) throws(PostgresError) {
        var sender = DeltaSender(connection, known: nil)
        try sender.put(tuples, of: accumulator, program, fold: 0)
        guard try sender.finish() else {
            throw PostgresError(
                code: .serverError, sqlState: .serializationFailure,
                message: "\(program.table) was changed by another than Millrace's sessions, which take turns")
        }
    }

    private mutating func park(
        _ index: Int, of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram,
        _ error: PostgresError
    ) throws(PostgresError) {
        let entry = accumulator.pointee.tuples.entries[index]
        var fields = TupleFields(accumulator.pointee.tuples.tuple(index))
        var key: [String] = []
        for column in program.columns[..<program.keyCount] {
            let field = fields.next()
            if case .text = column.element { key.append(String(decoding: field.dropFirst(4), as: UTF8.self)) }
        }
        // The history refuses it in the table's stead.
        let message = error.message.replacing(
            "\"\(HistoryTables.events(of: program.fold.table))\"", with: "\"\(program.fold.table)\"")
        let events = entry.n > 1 ? " (\(entry.n) events of this batch, this one the first)" : ""
        if entry.n > 1 {
            shared.append((index, Parking(pack: target.pack.name, fold: program.fold.name, code: "database", error)))
        }
        let entity = try entity(of: index, in: accumulator, program)
        parked.append(
            ParkedEvent(
                versionID: target.parkedID, pack: target.pack.name, fold: program.fold.name,
                key: String(key.joined(separator: ", ").prefix(ParkedEvent.keyLengthMax)), code: "database",
                sqlState: error.sqlState?.rawValue, constraint: error.constraint, message: message + events,
                eventAt: entry.eventAt, eventID: UniqueID(high: entry.idHigh, low: entry.idLow),
                tenant: TupleFields.tenant(of: accumulator.pointee.tuples.tuple(index)), entity: entity))
    }

    /// nil when the key is refused too, or the fold is no entity.
    private func entity(
        of index: Int, in accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram
    ) throws(PostgresError) -> String? {
        guard case .entity = program.fold.kind else { return nil }
        try connection.execute("SAVEPOINT millrace_fold_entity")
        var entity: String?
        do throws(PostgresError) {
            entity = try connection.query(
                program.identity,
                parameters: DeltaSender.arrays([index], of: accumulator, program.columns[..<program.keyCount])
            ).string(0, 0)
        } catch {
            guard error.isOfRow else { throw error }
            try connection.execute("ROLLBACK TO SAVEPOINT millrace_fold_entity")
        }
        try connection.execute("RELEASE SAVEPOINT millrace_fold_entity")
        return entity
    }
}
