internal import MillracePostgres

/// Sends a batch's deltas to their tables inside its transaction. Waits for the server only in `finish`, and where the
/// sketches of a unique have to be read first. Of a sketch only the rows that change are written. Blocking.
struct DeltaSender: ~Copyable {
    /// What a statement on sketches is expected to find.
    private struct Expected {
        /// Of each row that the statement names, in their order: which of `sketches`, and its number there.
        var rows: [(sketch: Int, row: Int)]
        /// False: the statement only counts the rows.
        var isWrite: Bool
    }

    /// Bytes of tuples in one message; a larger tuple goes alone. The server takes 1 GiB, but both sides keep a message
    /// whole in memory, this one several times.
    private static let messageBytesMax = 4 << 20
    /// Sketches in memory at a time.
    private static let sketchesMax = 16

    private var pipeline: PostgresPipeline
    private let known: KnownSketches?
    /// By the statement's number.
    private var expected: [Int: Expected] = [:]
    /// The sketches that statements under way write or count.
    private var sketches: [(fold: Int, entry: KnownSketches.Entry)] = []
    /// Whether a row was not as it was known.
    private var isStale = false
    /// Folds by the statement's number.
    private var admissions: [Int: Int] = [:]
    /// Folds whose entities contend for unique values: what was sent must be rolled back.
    private(set) var contended: Set<Int> = []
    /// The statement whose answers are wanted, and they.
    private var question: Int?
    private(set) var answered: [Int] = []

    /// `known`: nil to read every sketch.
    init(_ connection: PostgresConnection, known: KnownSketches?) {
        self.known = known
        pipeline = PostgresPipeline(connection)
    }

    mutating func send(_ sql: String) throws(PostgresError) {
        try pipeline.send(sql)
    }

    /// Sends a query whose first column, of integers, is in `answered` after `finish`.
    mutating func sendQuestion(_ sql: String) throws(PostgresError) {
        question = try pipeline.send(sql)
    }

    /// Waits for the answers to all that was sent. Returns false when a row of a sketch was not as it was known: it was
    /// not written then, and the caller rolls back to its savepoint.
    mutating func finish() throws(PostgresError) -> Bool {
        let (expected, admissions) = (expected, admissions)
        let question = question
        var (isStale, sketches, contended, answered) = (isStale, sketches, contended, answered)
        (self.expected, self.sketches, self.admissions, self.question) = ([:], [], [:], nil)
        do throws(PostgresError) {
            try pipeline.finish { number, result in
                if let fold = admissions[number], result.bool(0, 0) == true { contended.insert(fold) }
                if number == question { answered = (0..<result.rowCount).compactMap { result.int($0, 0) } }
                guard let expected = expected[number] else { return }
                Self.take(result, expected, &sketches, &isStale)
            }
        } catch {
            if error.sqlState == .uniqueViolation, let fold = pipeline.failedStatement.flatMap({ admissions[$0] }) {
                self.contended.insert(fold)
            }
            throw error
        }
        (self.isStale, self.contended, self.answered) = (isStale, contended, answered)
        guard !isStale else { return false }
        for (fold, entry) in sketches where !entry.key.isEmpty { known?.put(entry, fold: fold) }
        return true
    }

    /// Notes the versions of sketches' rows.
    private static func take(
        _ result: borrowing PostgresResult, _ expected: Expected,
        _ sketches: inout [(fold: Int, entry: KnownSketches.Entry)], _ isStale: inout Bool
    ) {
        guard expected.isWrite else {
            if result.int(0, 0) != expected.rows.count { isStale = true }
            return
        }
        guard result.rowCount == expected.rows.count else {
            isStale = true
            return
        }
        for row in 0..<result.rowCount {
            // An update returns each row's number; inserted rows come back in their order.
            let isNumbered = result.columns.count == 2
            let place = expected.rows[isNumbered ? (result.int(row, 0) ?? 1) - 1 : row]
            sketches[place.sketch].entry.stored.versions[place.row] = result.string(row, isNumbered ? 1 : 0)
        }
    }

    /// Sends the tuples of a fold; `fold`: its number.
    ///
    /// The accumulator comes as a pointer here and below, because it can't be copied, and lies in `BatchFold`'s own memory.
    /// SAFETY: valid until that fold prepares other targets; no row is added while its deltas are sent, so tuples and
    /// hashes stay where they are. What goes into a message is copied first.
    mutating func put(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram, fold: Int
    ) throws(PostgresError) {
        guard !tuples.isEmpty else { return }
        if let statements = program.sketches {
            return try putSketches(tuples, of: accumulator, program, statements, fold: fold)
        }
        for part in Self.parts(of: tuples, accumulator) { try putPart(part, of: accumulator, program) }
    }

    /// Sends the tuples of a fold with a history, winners or not; who contends is in `contended` after `finish`.
    mutating func admit(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram,
        _ history: EntityHistory, fold: Int
    ) throws(PostgresError) {
        try pipeline.send(history.sharedTurn)
        for part in Self.parts(of: tuples, accumulator) {
            let number = try pipeline.send(
                history.admission, parameters: Self.arrays(part, of: accumulator, program.columns))
            admissions[number] = fold
        }
    }

    /// Cuts tuples into what goes into a message each.
    static func parts(of tuples: [Int], _ accumulator: UnsafeMutablePointer<FoldAccumulator>) -> [[Int]] {
        var parts: [[Int]] = []
        var start = 0
        while start < tuples.count {
            var (end, bytes) = (start, 0)
            repeat {
                bytes += accumulator.pointee.tuples.entries[tuples[end]].length
                end += 1
            } while end < tuples.count
                && bytes + accumulator.pointee.tuples.entries[tuples[end]].length <= messageBytesMax
            parts.append(Array(tuples[start..<end]))
            start = end
        }
        return parts
    }

    private mutating func putPart(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram
    ) throws(PostgresError) {
        var parameters = Self.arrays(tuples, of: accumulator, program.columns)
        switch program.fold.kind {
        case .counter, .top:
            var counts = BinaryArray(.int8)
            for index in tuples { counts.append(integer: accumulator.pointee.tuples.entries[index].n) }
            parameters.append(counts.parameter)
        case .unique, .entity, .append: break
        }
        try pipeline.send(program.statement, parameters: parameters)
    }

    // MARK: - Sketches

    private mutating func putSketches(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram,
        _ statements: SketchStatements, fold: Int
    ) throws(PostgresError) {
        let hashes = Self.hashes(of: tuples, in: accumulator)
        let isFew = tuples.count <= KnownSketches.countMax
        let keys = isFew ? tuples.map { Array(accumulator.pointee.tuples.tuple($0)) } : []
        try pipeline.send(statements.turn)
        if isFew, let entries = known?.take(fold: fold, keys: keys) {
            return try add(
                zip(entries, zip(tuples, hashes)).map { ($0, $1.0, $1.1) }, of: accumulator, program, statements,
                fold: fold)
        }
        for start in stride(from: 0, to: tuples.count, by: Self.sketchesMax) {
            let part = start..<min(start + Self.sketchesMax, tuples.count)
            let read = try read(Array(tuples[part]), of: accumulator, program, statements)
            // An entry without a key is not kept for the next batch.
            let rows = read.map { stored, numbers in
                let isKept = isFew && numbers.count == 1
                return (
                    KnownSketches.Entry(key: isKept ? keys[start + numbers[0]] : [], stored: stored),
                    tuples[start + numbers[0]], numbers.flatMap { hashes[start + $0] }
                )
            }
            try add(rows, of: accumulator, program, statements, fold: fold)
        }
    }

    /// Sends what hashes change in the rows of sketches; `tuple`: of the key.
    private mutating func add(
        _ additions: [(entry: KnownSketches.Entry, tuple: Int, hashes: [UInt64])],
        of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram, _ statements: SketchStatements,
        fold: Int
    ) throws(PostgresError) {
        var updated = SketchRows(hasSketches: true, hasVersions: true)
        var inserted = SketchRows(hasSketches: true, hasVersions: false)
        var kept = SketchRows(hasSketches: false, hasVersions: true)
        for (entry, tuple, hashes) in additions {
            var entry = entry
            let change = entry.stored.insert(hashes)
            for row in change.written {
                if entry.stored.versions[row] == nil {
                    inserted.append(sketches.count, row: row, of: entry.stored, tuple: tuple)
                } else {
                    updated.append(sketches.count, row: row, of: entry.stored, tuple: tuple)
                }
            }
            for row in change.kept { kept.append(sketches.count, row: row, of: entry.stored, tuple: tuple) }
            sketches.append((fold, entry))
        }
        for (rows, statement, isWrite) in [
            (updated, statements.update, true), (inserted, statements.insertion, true), (kept, statements.count, false),
        ] where !rows.places.isEmpty {
            let number = try pipeline.send(
                statement, parameters: Self.arrays(rows.tuples, of: accumulator, program.columns) + rows.parameters)
            expected[number] = Expected(rows: rows.places, isWrite: isWrite)
        }
    }

    /// Reads the keys' sketches; waits for the server. Returns each with its keys' numbers, from 0.
    private mutating func read(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram,
        _ statements: SketchStatements
    ) throws(PostgresError) -> [(stored: StoredSketch, numbers: [Int])] {
        // Those under way first: their answers are not the ones that are waited for here.
        guard try finish() else { return [] }
        let selection = try pipeline.send(
            statements.selection, parameters: Self.arrays(tuples, of: accumulator, program.columns), answersBinary: true
        )
        var read: [Int: (stored: StoredSketch, numbers: [Int])] = [:]
        var isDamaged = false
        try pipeline.finish { number, result in
            guard number == selection else { return }
            for row in 0..<result.rowCount {
                guard let number = Self.integer(result, row, 0), let first = Self.integer(result, row, 1) else {
                    continue
                }
                var one = read[first] ?? (StoredSketch(isChunked: program.isChunked), [])
                if one.numbers.last != number - 1 { one.numbers.append(number - 1) }
                if let version = result.string(row, 3) {
                    let chunk = Self.integer(result, row, 2) ?? 0
                    let isRead = result.withBytes(row, 4) { bytes in
                        bytes.map { one.stored.add(row: chunk, bytes: $0, version: version) } ?? false
                    }
                    if !isRead { isDamaged = true }
                }
                read[first] = one
            }
        }
        guard !isDamaged else {
            throw PostgresError(
                code: .serverError, sqlState: .dataCorrupted,
                message: "\(program.table) holds a sketch that can't be read",
                hint: "Rebuild the pack: millrace projections rebuild \(program.pack).")
        }
        return read.keys.sorted().compactMap { read[$0] }
    }

    /// Of a bigint or smallint in binary; nil for NULL.
    private static func integer(_ result: borrowing PostgresResult, _ row: Int, _ column: Int) -> Int? {
        result.withBytes(row, column) { bytes in
            bytes.map { $0.dropFirst().reduce(Int(Int8(bitPattern: $0[0]))) { $0 << 8 | Int($1) } }
        }
    }

    /// The hashes of each of the keys, in their order.
    private static func hashes(
        of tuples: [Int], in accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) -> [[UInt64]] {
        var hashes = [[UInt64]](repeating: [], count: tuples.count)
        var places = [Int](repeating: -1, count: accumulator.pointee.tuples.count)
        for (place, index) in tuples.enumerated() { places[index] = place }
        var start = 0
        for (key, end) in accumulator.pointee.hashRuns {
            if places[key] >= 0 { hashes[places[key]] += accumulator.pointee.hashes[start..<end] }
            start = end
        }
        return hashes
    }

    /// The tuples' columns, an array each: the first ones of the fold's, those of the key or all.
    static func arrays(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ columns: some Sequence<FoldColumn>
    ) -> [PostgresParameter?] {
        var arrays = columns.map { BinaryArray($0.element) }
        for index in tuples {
            var fields = TupleFields(accumulator.pointee.tuples.tuple(index))
            for column in arrays.indices { arrays[column].append(field: fields.next()) }
        }
        return arrays.map(\.parameter)
    }
}
