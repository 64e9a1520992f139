internal import MillracePostgres

/// Sends a batch's deltas to their tables inside its transaction. Waits for the server only in `finish`, and where the
/// sketches of a unique have to be read first. Blocking.
struct DeltaSender: ~Copyable {
    /// What a statement on known sketches is expected to find.
    private struct Expected {
        var fold: Int
        /// Of the keys that the statement was sent for, in their order.
        var entries: [KnownSketches.Entry]
        /// Else the rows were only counted.
        var isUpdate: Bool
    }

    /// Sketches in memory at a time; each has up to 64 KiB, several times on its way to and from the server.
    private static let sketchesMax = 4

    private var pipeline: PostgresPipeline
    private let known: KnownSketches?
    /// By the statement's number.
    private var expected: [Int: Expected] = [:]
    /// Whether a known sketch was another's row by now.
    private var isStale = false

    /// `known`: nil to read every sketch.
    init(_ connection: PostgresConnection, known: KnownSketches?) {
        self.known = known
        pipeline = PostgresPipeline(connection)
    }

    mutating func send(_ sql: String) throws(PostgresError) {
        try pipeline.send(sql)
    }

    /// Waits for all that was sent. Returns false when a known sketch was out of date: nothing of it was written, and the
    /// transaction is to go back.
    mutating func finish() throws(PostgresError) -> Bool {
        let expected = expected
        self.expected = [:]
        var (isStale, found) = (isStale, [Expected]())
        try pipeline.finish { number, result in
            guard var expected = expected[number] else { return }
            guard expected.isUpdate else {
                if result.int(0, 0) == expected.entries.count { found.append(expected) } else { isStale = true }
                return
            }
            if result.rowCount != expected.entries.count { isStale = true }
            for (index, version) in Self.written(result, of: expected.entries.count) {
                expected.entries[index].version = version
            }
            found.append(expected)
        }
        self.isStale = isStale
        if let known, !isStale {
            for (fold, parts) in Dictionary(grouping: found, by: \.fold) {
                known.put(parts.flatMap(\.entries), fold: fold)
            }
        }
        return !isStale
    }

    /// Sends the tuples of a fold; `fold`: its number.
    mutating func put(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram, fold: Int
    ) throws(PostgresError) {
        guard !tuples.isEmpty else { return }
        if let statements = program.sketches {
            return try putSketches(tuples, of: accumulator, program, statements, fold: fold)
        }
        var parameters = Self.arrays(tuples, of: accumulator, program)
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
        // In one order, so that two sessions of a slot wait for each other instead of deadlocking.
        let tuples = tuples.sorted {
            accumulator.pointee.tuples.tuple($0).lexicographicallyPrecedes(accumulator.pointee.tuples.tuple($1))
        }
        let hashes = Self.hashes(of: tuples, in: accumulator)
        let isFew = tuples.count <= KnownSketches.countMax
        let keys = isFew ? tuples.map { Array(accumulator.pointee.tuples.tuple($0)) } : []
        if isFew, let entries = known?.take(fold: fold, keys: keys) {
            return try putKnown(entries, tuples, hashes, of: accumulator, program, statements, fold: fold)
        }
        _ = try finish()
        var read: [KnownSketches.Entry] = []
        for start in stride(from: 0, to: tuples.count, by: Self.sketchesMax) {
            let part = start..<min(start + Self.sketchesMax, tuples.count)
            let rows = try merge(Array(tuples[part]), hashes[part], of: accumulator, program, statements)
            guard isFew else { continue }
            // Of two keys of one row neither is kept.
            for row in rows where row.keys.count == 1 {
                read.append(.init(key: keys[row.keys[0]], sketch: row.sketch, version: row.version))
            }
        }
        if isFew { known?.put(read, fold: fold) }
    }

    private mutating func putKnown(
        _ entries: [KnownSketches.Entry], _ tuples: [Int], _ hashes: [[UInt64]],
        of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram, _ statements: SketchStatements,
        fold: Int
    ) throws(PostgresError) {
        var parts = [true, false].map { (tuples: [Int](), expected: Expected(fold: fold, entries: [], isUpdate: $0)) }
        for (index, var entry) in entries.enumerated() {
            let part = entry.sketch.insert(hashes[index]) ? 0 : 1
            parts[part].tuples.append(tuples[index])
            parts[part].expected.entries.append(entry)
        }
        for (tuples, part) in parts where !tuples.isEmpty {
            var (sketches, places, writers) = (BinaryArray(.bytea), BinaryArray(.text), BinaryArray(.text))
            for entry in part.entries {
                if part.isUpdate { entry.sketch.bytes.withUnsafeBytes { sketches.append($0) } }
                places.append(entry.version.place)
                writers.append(entry.version.writer)
            }
            let arrays = (part.isUpdate ? [sketches] : []) + [places, writers]
            let number = try pipeline.send(
                part.isUpdate ? statements.knownUpdate : statements.knownCount,
                parameters: Self.arrays(tuples, of: accumulator, program) + arrays.map(\.parameter))
            expected[number] = part
        }
    }

    private struct SketchRow {
        /// Numbers of its keys, from 0: texts that differ may be one value of the column's type.
        var keys: [Int]
        var sketch: HyperLogLog
        var version: (place: String, writer: String)
    }

    /// Reads the keys' rows under a lock, making those that are missing, and writes those that change. `hashes`: of each
    /// key, in their order. Waits for the server. Returns the rows as they are then.
    private mutating func merge(
        _ tuples: [Int], _ hashes: ArraySlice<[UInt64]>, of accumulator: UnsafeMutablePointer<FoldAccumulator>,
        _ program: FoldProgram, _ statements: SketchStatements
    ) throws(PostgresError) -> [SketchRow] {
        let keys = Self.arrays(tuples, of: accumulator, program)
        var rows = try read(keys, program, statements)
        if rows.flatMap(\.keys).count < tuples.count {
            try pipeline.send(
                statements.insertion, parameters: keys + [.binary(HyperLogLog().bytes, type: 17)])
            rows = try read(keys, program, statements)
        }
        var changed: [Int] = []
        var sketches = BinaryArray(.bytea)
        for index in rows.indices {
            // Not short-circuited: all keys of the row go in.
            let isChanged = rows[index].keys.reduce(false) {
                rows[index].sketch.insert(hashes[hashes.startIndex + $1]) || $0
            }
            guard isChanged else { continue }
            changed.append(index)
            rows[index].sketch.bytes.withUnsafeBytes { sketches.append($0) }
        }
        guard !changed.isEmpty else { return rows }
        let arrays = Self.arrays(changed.map { tuples[rows[$0].keys[0]] }, of: accumulator, program)
        try pipeline.send(statements.update, parameters: arrays + [sketches.parameter])
        try pipeline.finish { _, result in
            for (index, version) in Self.written(result, of: changed.count) { rows[changed[index]].version = version }
        }
        return rows
    }

    private mutating func read(
        _ keys: [PostgresParameter?], _ program: FoldProgram, _ statements: SketchStatements
    ) throws(PostgresError) -> [SketchRow] {
        let selection = try pipeline.send(statements.selection, parameters: keys, answersBinary: true)
        var rows: [SketchRow] = []
        var isDamaged = false
        try pipeline.finish { number, result in
            guard number == selection else { return }
            for row in 0..<result.rowCount {
                let number = result.withBytes(row, 0) { bytes in
                    bytes.map { Int(Int64(bigEndian: $0.loadUnaligned(as: Int64.self))) } ?? 0
                }
                let version = Self.version(result, row)
                if let place = rows.firstIndex(where: { $0.version == version }) {
                    rows[place].keys.append(number - 1)
                } else if let sketch = result.withBytes(row, 3, { $0.flatMap { HyperLogLog(bytes: $0) } }) {
                    rows.append(SketchRow(keys: [number - 1], sketch: sketch, version: version))
                } else {
                    isDamaged = true
                }
            }
        }
        guard !isDamaged else {
            throw PostgresError(
                code: .serverError, sqlState: SQLState(rawValue: "XX001"),
                message: "\(program.table) holds a sketch that can't be read",
                hint: "Rebuild the pack: millrace projections rebuild \(program.pack).")
        }
        return rows
    }

    /// What an update of `count` keys answers: numbers of the keys, from 0, and the versions of their rows.
    private static func written(
        _ result: borrowing PostgresResult, of count: Int
    ) -> [(index: Int, version: (place: String, writer: String))] {
        (0..<result.rowCount).compactMap { row in
            guard let number = result.int(row, 0), 1...count ~= number else { return nil }
            return (number - 1, version(result, row))
        }
    }

    /// ctid and xmin, behind the key's number.
    private static func version(_ result: borrowing PostgresResult, _ row: Int) -> (place: String, writer: String) {
        (result.string(row, 1) ?? "", result.string(row, 2) ?? "")
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

    /// The tuples' columns, an array each; of a unique those of the key.
    private static func arrays(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram
    ) -> [PostgresParameter?] {
        var arrays = program.columns.map { BinaryArray($0.element) }
        for index in tuples {
            var fields = TupleFields(accumulator.pointee.tuples.tuple(index))
            for column in arrays.indices { arrays[column].append(field: fields.next()) }
        }
        return arrays.map(\.parameter)
    }
}
