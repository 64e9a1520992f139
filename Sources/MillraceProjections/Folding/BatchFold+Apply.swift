internal import MillraceEvent
package import MillracePostgres

extension BatchFold {
    /// Puts the deltas into the tables, inside the open transaction; blocks.
    ///
    /// Rows that a table refuses are parked, and the rest goes in. A version whose tables are not what its pack says is
    /// left as it was, and is in `failures`. Throws what must end the transaction.
    @discardableResult
    package func apply(batchID: Int64, on connection: PostgresConnection) throws(PostgresError) -> FoldOutcome {
        var outcome = FoldOutcome()
        if refused.isEmpty, let done = try applyAtOnce(batchID: batchID, on: connection) {
            outcome.folded = targets.map(\.versionID)
            outcome.parkedCount = done.parkedCount
            for fold in done.parked {
                try clearParked(accumulators[fold].winningTuples, of: fold, on: connection)
            }
            return outcome
        }
        for (index, target) in targets.enumerated() {
            var applier = FoldApplier(target: target, batchID: batchID, connection: connection)
            let folds = programs.indices.filter { programs[$0].target == index }
            var accepted = folds.map { accumulators[$0].winningTuples }
            let cascade = cascade(of: index)
            if let cascade { try connection.execute(cascade.turn(isAlone: true)) }
            try connection.execute("SAVEPOINT millrace_fold")
            do throws(PostgresError) {
                do throws(PostgresError) {
                    for fold in folds { try applier.apply(programs[fold].program, accumulators + fold) }
                    _ = try cascade?.settle(
                        accumulators, batchID: batchID, isAlone: true, isCareful: false, on: connection)
                } catch {
                    guard error.isOfRow else { throw error }
                    try connection.execute("ROLLBACK TO SAVEPOINT millrace_fold")
                    applier = FoldApplier(target: target, batchID: batchID, connection: connection)
                    accepted = []
                    for fold in folds {
                        let before = applier.shared.count
                        accepted.append(try applier.applyCarefully(programs[fold].program, accumulators + fold))
                        for one in applier.shared[before...] { shared[fold, default: [:]][one.tuple] = one.parking }
                    }
                    _ = try cascade?.settle(
                        accumulators, batchID: batchID, isAlone: true, isCareful: true, on: connection)
                }
                for (fold, tuples) in zip(folds, accepted) where entities.contains(fold) {
                    try clearParked(tuples, of: fold, on: connection)
                }
                let events = refused.filter { programs[$0.fold].target == index }.map(\.event) + applier.parked
                try ParkedEvent.write(events, batchID: batchID, on: connection)
                outcome.parkedCount += events.count + applier.parkedInHistory
                outcome.folded.append(target.versionID)
            } catch {
                guard error.code == .serverError, error.category != .retry else { throw error }
                try connection.execute("ROLLBACK TO SAVEPOINT millrace_fold")
                outcome.failures.append(FoldOutcome.Failure(versionID: target.versionID, error: error))
            }
        }
        return outcome
    }

    /// All versions' folds, with as few waits for the server as can be. Returns nil, the tables as they were, when anything
    /// is refused or a sketch is not as it was known; else how many events were parked, and of which entity folds some are.
    private func applyAtOnce(
        batchID: Int64, on connection: PostgresConnection
    ) throws(PostgresError) -> (parkedCount: Int, parked: [Int])? {
        guard programs.indices.contains(where: { accumulators[$0].tuples.count > 0 }) else { return (0, []) }
        while true {
            let before = contended
            var sender = DeltaSender(connection, known: known)
            do throws(PostgresError) {
                try sender.send("SAVEPOINT millrace_folds")
                var parkedCount = 0
                var isFresh = true
                for index in programs.indices where accumulators[index].tuples.count > 0 && isFresh {
                    if let turn = turn(before: index) { try sender.send(turn) }
                    isFresh = try send(index, &parkedCount, batchID: batchID, &sender, on: connection)
                }
                if isFresh, entities.contains(where: { accumulators[$0].tuples.count > 0 }) {
                    try sender.sendQuestion(parkedEntities)
                }
                if isFresh, try sender.finish() {
                    if sender.contended.isEmpty, try settleCascades(batchID: batchID, on: connection) {
                        return (parkedCount, sender.answered.map { entities[$0] })
                    }
                    known.clear()
                } else {
                    known.distrust()
                }
            } catch {
                guard error.code == .serverError, error.category != .retry else { throw error }
                known.clear()
            }
            try connection.execute("ROLLBACK TO SAVEPOINT millrace_folds")
            // Contenders are settled in turn, once it is known that there are any.
            contended.formUnion(sender.contended)
            guard contended.count > before.count else { return nil }
        }
    }

    /// Sends what one fold has. Returns false when a sketch was not as it was known.
    private func send(
        _ index: Int, _ parkedCount: inout Int, batchID: Int64, _ sender: inout DeltaSender,
        on connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        let (number, program) = programs[index]
        let accumulator = accumulators + index
        guard let history = program.history else {
            try sender.put(accumulator.pointee.winningTuples, of: accumulator, program, fold: index)
            return true
        }
        guard contended.contains(index) else {
            let tuples = Array(0..<accumulator.pointee.tuples.count)
            try sender.admit(tuples, of: accumulator, program, history, fold: index)
            return true
        }
        // In the order of the folds, as everyone takes them.
        guard try sender.finish() else { return false }
        var fold = HistoryFold(
            program, history, target: targets[number], batchID: batchID, connection: connection)
        try fold.apply(accumulator)
        if !fold.isContended { contended.remove(index) }
        parkedCount += fold.parkedCount
        return true
    }

    // MARK: - Cascades

    /// nil where the batch has nothing for the target's cascades.
    private func cascade(of target: Int) -> CascadeFold? {
        cascades[target].flatMap { $0.isConcerned(accumulators) ? $0 : nil }
    }

    /// The statement that takes the turn of a target's cascades, before the first of its folds that has anything.
    private func turn(before index: Int) -> String? {
        let target = programs[index].target
        guard let cascade = cascade(of: target),
            !programs[..<index].indices.contains(where: {
                programs[$0].target == target && accumulators[$0].tuples.count > 0
            })
        else { return nil }
        return cascade.turn(isAlone: cascade.wantsTurn(accumulators))
    }

    /// Returns false when that has to be done alone, and is to be rolled back.
    private func settleCascades(batchID: Int64, on connection: PostgresConnection) throws(PostgresError) -> Bool {
        for target in targets.indices {
            guard let cascade = cascade(of: target) else { continue }
            let isAlone = cascade.wantsTurn(accumulators)
            guard try cascade.settle(accumulators, batchID: batchID, isAlone: isAlone, isCareful: false, on: connection)
            else {
                return false
            }
        }
        return true
    }

    /// What is parked of these tuples' entities is made good by a newer row.
    private func clearParked(
        _ tuples: [Int], of index: Int, on connection: PostgresConnection
    ) throws(PostgresError) {
        guard !tuples.isEmpty else { return }
        let (number, program) = programs[index]
        var times = BinaryArray(.timestamptz)
        var ids = BinaryArray(.uuid)
        for tuple in tuples {
            let entry = accumulators[index].tuples.entries[tuple]
            times.append(integer: entry.eventAt)
            UniqueID(high: entry.idHigh, low: entry.idLow).bytes.withUnsafeBytes { ids.append($0) }
        }
        try connection.query(
            program.clearing(versionID: targets[number].parkedID),
            parameters: DeltaSender.arrays(
                tuples, of: accumulators + index, program.columns[..<program.keyCount])
                + [times.parameter, ids.parameter])
    }

    /// Has the next batch settle its entities with all that contends with them, whether or not they are new. After `begin`.
    func settlesAll() {
        contended = Set(programs.indices.filter { programs[$0].program.history != nil })
    }
}
