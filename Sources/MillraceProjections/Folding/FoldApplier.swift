internal import MillraceEvent
internal import MillracePostgres

/// Puts one version's folds of a batch into their tables, alone, so that what is refused is found. Blocking, inside the
/// batch's transaction.
struct FoldApplier {
    let target: FoldTarget
    let connection: PostgresConnection
    /// Events that `applyCarefully` has set aside.
    private(set) var parked: [ParkedEvent] = []
    /// Tuples that were set aside and that several events made, each as it stands for all of them.
    private(set) var shared: [(tuple: Int, parking: Parking)] = []

    init(target: FoldTarget, connection: PostgresConnection) {
        self.target = target
        self.connection = connection
    }

    /// All of a fold at once. Throws when any value is refused.
    func apply(
        _ program: FoldProgram, _ accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) {
        try put(accumulator.pointee.winningTuples, of: accumulator, program)
    }

    /// Puts each part in after a savepoint; a part that is refused is halved down to single rows, which are parked. Of
    /// an entity every event of the batch is tried, because the winner may be the one that is refused.
    mutating func applyCarefully(
        _ program: FoldProgram, _ accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) {
        // Parts still to do, the next one last, so that the stack stays as deep as the tree.
        var parts = [0..<accumulator.pointee.tuples.count]
        while let part = parts.popLast() {
            guard !part.isEmpty else { continue }
            try connection.execute("SAVEPOINT millrace_fold_part")
            do throws(PostgresError) {
                try put(Array(part), of: accumulator, program)
                try connection.execute("RELEASE SAVEPOINT millrace_fold_part")
            } catch {
                guard error.isOfRow else { throw error }
                try connection.execute(
                    "ROLLBACK TO SAVEPOINT millrace_fold_part; RELEASE SAVEPOINT millrace_fold_part")
                if part.count == 1 {
                    park(part.lowerBound, of: accumulator, program, error)
                } else {
                    let middle = part.lowerBound + part.count / 2
                    parts += [middle..<part.upperBound, part.lowerBound..<middle]
                }
            }
        }
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
    ) {
        let entry = accumulator.pointee.tuples.entries[index]
        var fields = TupleFields(accumulator.pointee.tuples.tuple(index))
        var key: [String] = []
        for column in program.columns[..<program.keyCount] {
            let field = fields.next()
            if case .text = column.element { key.append(String(decoding: field.dropFirst(4), as: UTF8.self)) }
        }
        if entry.n > 1 {
            shared.append((index, Parking(pack: target.pack.name, fold: program.fold.name, code: "database", error)))
        }
        let events = entry.n > 1 ? " (\(entry.n) events of this batch, this one the first)" : ""
        parked.append(
            ParkedEvent(
                versionID: target.versionID, pack: target.pack.name, fold: program.fold.name,
                key: String(key.joined(separator: ", ").prefix(ParkedEvent.keyLengthMax)), code: "database",
                sqlState: error.sqlState?.rawValue, constraint: error.constraint, message: error.message + events,
                eventAt: entry.eventAt,
                eventID: UniqueID(high: entry.idHigh, low: entry.idLow)))
    }
}
