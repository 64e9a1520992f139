internal import MillraceEvent
internal import MillracePostgres

/// Folds a batch's events into a table with a history where entities contend for unique values, in turn with the other
/// sessions that fold into it. Blocking, inside the batch's transaction.
///
/// All entities that ever wanted a value of each other's are settled together: their events are applied in order, in
/// memory (`UniqueContest`), and the table's rows and those that wait in `projections.parked` are made what comes of it.
/// So the cost is that of the contenders' whole history, and nothing else is read.
struct HistoryFold {
    /// Someone else (a checkout) may write rows meanwhile.
    private static let attemptsMax = 5

    let program: FoldProgram
    let history: EntityHistory
    let target: FoldTarget
    let batchID: Int64
    let connection: PostgresConnection
    private var refusedCount = 0
    private var waitingCount = 0
    /// Whether any entity of the batch contends.
    private(set) var isContended = false

    init(
        _ program: FoldProgram, _ history: EntityHistory, target: FoldTarget, batchID: Int64,
        connection: PostgresConnection
    ) {
        self.program = program
        self.history = history
        self.target = target
        self.batchID = batchID
        self.connection = connection
    }

    /// Events of the batch that wait, and patches that are refused; they are in `projections.parked`.
    var parkedCount: Int { refusedCount + waitingCount }

    /// All that the accumulator has. Throws when a value is refused.
    mutating func apply(_ accumulator: UnsafeMutablePointer<FoldAccumulator>) throws(PostgresError) {
        try takeTurn()
        let places = try record(Array(0..<accumulator.pointee.tuples.count), of: accumulator)
        try settle(accumulator.pointee.winningTuples, of: accumulator, recordedAt: places)
    }

    /// Takes the turn, and keeps it to the end of the transaction.
    func takeTurn() throws(PostgresError) {
        try connection.execute(history.turn)
    }

    /// Puts events into the history. Throws when the table refuses one. Returns the places of the new ones.
    func record(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) -> [String?] {
        var places: [String?] = []
        for part in DeltaSender.parts(of: tuples, accumulator) {
            places += try strings(history.record, DeltaSender.arrays(part, of: accumulator, program.columns))
        }
        return places
    }

    /// Brings the table to what the history says of the entities of these tuples, which were recorded at `places`.
    mutating func settle(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, recordedAt places: [String?]
    ) throws(PostgresError) {
        if let patches = history.patches {
            // What someone else wrote, a checkout before its events come, is what a patch changes.
            let absorbed = try strings(history.absorption, [.array(places)])
            refusedCount = try patches.work(from: places + absorbed, batchID: batchID, on: connection).refusedCount
            try connection.query(patches.claim, parameters: keys(of: tuples, accumulator))
        } else {
            try connection.query(history.claim, parameters: [.array(places)])
        }
        let contended = try contended(tuples, of: accumulator)
        isContended = !contended.isEmpty
        let alone = tuples.indices.filter { !contended.contains($0) }.map { tuples[$0] }
        var left = contended.sorted().map { tuples[$0] }
        try connection.execute("SAVEPOINT millrace_history")
        do throws(PostgresError) {
            var sender = DeltaSender(connection, known: nil)
            try sender.put(alone, of: accumulator, program, fold: 0)
            _ = try sender.finish()
        } catch {
            guard error.sqlState == .uniqueViolation else { throw error }
            // A row that someone else wrote has the value.
            try connection.execute("ROLLBACK TO SAVEPOINT millrace_history")
            left = tuples
        }
        var attempts = 0
        while !left.isEmpty {
            do throws(PostgresError) {
                try connection.execute("RELEASE SAVEPOINT millrace_history; SAVEPOINT millrace_history")
                try settle(entitiesOf: left, of: accumulator)
                break
            } catch {
                guard error.sqlState == .uniqueViolation else { throw error }
                attempts += 1
                guard attempts < Self.attemptsMax else {
                    throw PostgresError(
                        code: .serverError, sqlState: .serializationFailure,
                        message: "\(program.table) is changed by others again and again")
                }
                try connection.execute("ROLLBACK TO SAVEPOINT millrace_history")
            }
        }
        try connection.execute("RELEASE SAVEPOINT millrace_history")
    }

    /// Places in `tuples` of those whose entities contend.
    private func contended(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) -> Set<Int> {
        let rows = try connection.query(history.contended, parameters: keys(of: tuples, accumulator))
        return Set((0..<rows.rowCount).compactMap { rows.int($0, 0).map { $0 - 1 } })
    }

    private mutating func settle(
        entitiesOf tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) {
        let keys = keys(of: tuples, accumulator)
        var members: [String?] = []
        while true {
            members = try strings(history.members, keys)
            // Rows that someone else wrote, a checkout before its events come, are events too.
            let absorbed =
                try strings(history.absorption, [.array(members)])
                + strings(history.holderAbsorption, [.array(members)])
            guard !absorbed.isEmpty else { break }
            try connection.query(history.claim, parameters: [.array(absorbed)])
        }
        var places: [String?] = []
        var contest = UniqueContest(entityCount: members.count)
        let events = try connection.query(history.events, parameters: [.array(members)])
        for row in 0..<events.rowCount {
            let values = history.constraints.indices.map { index -> UniqueContest.Value? in
                guard let high = events.int(row, 2 + 2 * index), let low = events.int(row, 3 + 2 * index) else {
                    return nil
                }
                return UniqueContest.Value(high: Int64(high), low: Int64(low))
            }
            places.append(events.string(row, 1))
            contest.apply(entity: events.count(row, 0) - 1, values: values)
        }
        try write(contest.standings(), members: members, events: places, accumulator)
    }

    private mutating func write(
        _ standings: [UniqueContest.Standing], members: [String?], events: [String?],
        _ accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) {
        let rows = standings.map { $0.row.flatMap { events[$0] } }
        try connection.query(history.removal, parameters: [.array(members), .array(rows)])
        try connection.query(history.put, parameters: [.array(rows.filter { $0 != nil })])
        let waiters = standings.compactMap(\.waiting)
        let found = try connection.query(
            history.waiting,
            parameters: [
                .array(members), .array(waiters.map { events[$0.event] }),
                .array(waiters.map { history.constraints[$0.index] }), .array(waiters.map { members[$0.holder] }),
                .integer(batchID),
            ])
        guard found.rowCount > 0 else { return }
        let events = Set(
            (0..<accumulator.pointee.tuples.count).map { index in
                let entry = accumulator.pointee.tuples.entries[index]
                return TenantEvent(
                    id: UniqueID(high: entry.idHigh, low: entry.idLow),
                    tenant: TupleFields.tenant(of: accumulator.pointee.tuples.tuple(index)))
            })
        waitingCount = (0..<found.rowCount).count { row in
            guard let id = found.string(row, 0).flatMap(UniqueID.init), let tenant = found.int(row, 1) else {
                return false
            }
            return events.contains(TenantEvent(id: id, tenant: Int32(truncatingIfNeeded: tenant)))
        }
    }

    private struct TenantEvent: Hashable {
        var id: UniqueID
        var tenant: Int32
    }

    private func keys(
        of tuples: [Int], _ accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) -> [PostgresParameter?] {
        DeltaSender.arrays(tuples, of: accumulator, program.columns[..<program.keyCount])
    }

    /// The first column of the answer.
    private func strings(_ sql: String, _ parameters: [PostgresParameter?]) throws(PostgresError) -> [String?] {
        let rows = try connection.query(sql, parameters: parameters)
        return (0..<rows.rowCount).map { rows.string($0, 0) }
    }
}
