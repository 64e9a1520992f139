internal import MillracePostgres

/// Lets rows of one version's folds go with those that they point to, after a batch's folds are in their tables. Blocking,
/// inside the batch's transaction.
///
/// Sessions that only save rows do so side by side. One whose batch deletes, or is late so that a death moves, is alone
/// among those that fold into the pack's cascades: else a row that another is just making would outlive what it points to.
struct CascadeFold {
    private struct Member {
        /// Of the fold's program and accumulator.
        var index: Int
        var statements: CascadeStatements
        /// nil: the rows have no patches, or go with none.
        var revision: PatchRevision?
    }

    /// Each after those whose rows its own go with.
    private let members: [Member]
    private let lock: String

    /// nil: the pack has no cascades. `programs`: of the version's folds, by their numbers.
    init?(of target: FoldTarget, programs: [(index: Int, program: FoldProgram)]) {
        members = target.pack.cascadeOrder.compactMap { fold in
            programs.first { $0.program.fold.name == fold.name }.map {
                let statements = CascadeStatements($0.program, of: target)
                return Member(
                    index: $0.index, statements: statements, revision: PatchRevision($0.program, statements))
            }
        }
        guard !members.isEmpty else { return nil }
        lock = "hashtextextended('millrace cascades \(target.schema).\(target.pack.name)', 0)"
    }

    /// Whether a batch has anything for them.
    func isConcerned(_ accumulators: UnsafeMutablePointer<FoldAccumulator>) -> Bool {
        members.contains { $0.statements.own != nil && accumulators[$0.index].tuples.count > 0 }
            || wantsTurn(accumulators)
    }

    /// Whether a batch deletes what others go with.
    func wantsTurn(_ accumulators: UnsafeMutablePointer<FoldAccumulator>) -> Bool {
        members.contains { $0.statements.dying != nil && accumulators[$0.index].deleteCount > 0 }
    }

    /// Waits for its turn and keeps it to the end of the transaction: the first statement about the version's folds.
    func turn(isAlone: Bool) -> String {
        "SELECT pg_advisory_xact_lock\(isAlone ? "" : "_shared")(\(lock))"
    }

    /// Settles what the batch concerns. Returns false when it has to be `isAlone` for that; then all is to be rolled back.
    /// Throws where a value is refused, unless `isCareful`: then such tuples, which are parked, are left out.
    func settle(
        _ accumulators: UnsafeMutablePointer<FoldAccumulator>, batchID: Int64, isAlone: Bool, isCareful: Bool,
        on connection: PostgresConnection
    ) throws(PostgresError) -> Bool {
        var sender = TupleSender(isCareful: isCareful, connection: connection)
        for member in members {
            let (statements, accumulator) = (member.statements, accumulators + member.index)
            let all = Array(0..<accumulator.pointee.tuples.count)
            if let deaths = statements.deaths, accumulator.pointee.deleteCount > 0 {
                try sender.send(deaths, accumulator.pointee.deletingTuples, of: accumulator)
            }
            if let moves = statements.moves { try sender.send(moves, all, of: accumulator) }
            if isAlone, let revision = member.revision {
                _ = try sender.finish(nil)
                try revision.revise(batchID: batchID, timeout: TupleSender.timeout, on: connection)
            }
            if let derivations = statements.derivations { try sender.send(derivations, all, of: accumulator) }
            if isAlone { for sql in statements.derivationsOfDying { try sender.wait(for: sql) } }
            if let own = statements.own {
                try sender.send(own, isCareful ? all : accumulator.pointee.winningTuples, of: accumulator)
            }
            if isAlone { for sql in statements.ofDying { try sender.wait(for: sql) } }
        }
        let dying = members.compactMap(\.statements.dying)
        guard isAlone else {
            return try !sender.finish("SELECT \(dying.map { "EXISTS (SELECT FROM \($0))" }.joined(separator: " OR "))")
        }
        for table in dying { try sender.send("DELETE FROM \(table)") }
        _ = try sender.finish(nil)
        return true
    }
}

/// Sends statements on tuples, all before it waits, or carefully.
private struct TupleSender: ~Copyable {
    /// Tuples in one message.
    private static let tuplesMax = 20_000
    /// Of a statement whose work is as much as there is of what goes: one that is given up would be tried for ever.
    static let timeout = Duration.seconds(4 * 3600)

    private let isCareful: Bool
    private let connection: PostgresConnection
    private var pipeline: PostgresPipeline

    init(isCareful: Bool, connection: PostgresConnection) {
        self.isCareful = isCareful
        self.connection = connection
        pipeline = PostgresPipeline(connection)
    }

    mutating func send(_ sql: String) throws(PostgresError) {
        try pipeline.send(sql)
    }

    /// After all that was sent. Blocks as long as it takes.
    mutating func wait(for sql: String) throws(PostgresError) {
        try pipeline.finish()
        try connection.query(sql, timeout: Self.timeout)
    }

    mutating func send(
        _ statement: CascadeStatements.OnTuples, _ tuples: [Int],
        of accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) {
        for start in stride(from: 0, to: tuples.count, by: Self.tuplesMax) {
            let part = Array(tuples[start..<min(start + Self.tuplesMax, tuples.count)])
            if isCareful {
                try pipeline.finish()
                // Those that are refused are left out.
                _ = try connection.halve(part.count) { (range) throws(PostgresError) in
                    try connection.query(
                        statement.sql, parameters: Self.arrays(statement.columns, part[range], of: accumulator))
                }
            } else {
                try pipeline.send(statement.sql, parameters: Self.arrays(statement.columns, part, of: accumulator))
            }
        }
    }

    /// Waits for all; `question`: answered by a boolean. Blocks.
    mutating func finish(_ question: String?) throws(PostgresError) -> Bool {
        var number: Int?
        if let question { number = try pipeline.send(question) }
        var answer = false
        try pipeline.finish { answered, result in
            if answered == number { answer = result.bool(0, 0) ?? false }
        }
        return answer
    }

    private static func arrays(
        _ columns: [(number: Int, element: ArrayElement)], _ tuples: some Sequence<Int>,
        of accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) -> [PostgresParameter?] {
        var arrays = columns.map { BinaryArray($0.element) }
        for index in tuples {
            var fields = TupleFields(accumulator.pointee.tuples.tuple(index))
            var number = 0
            for (place, column) in columns.enumerated() {
                while number < column.number {
                    _ = fields.next()
                    number += 1
                }
                arrays[place].append(field: fields.next())
                number += 1
            }
        }
        return arrays.map(\.parameter)
    }
}
