internal import MillraceEvent
internal import MillracePostgres

/// Puts one version's folds of a batch into their tables. Blocking, inside the batch's transaction.
struct FoldApplier {
    /// Sketches in memory at a time; each has up to 64 KiB, several times on its way to and from the server.
    private static let sketchesMax = 4

    let target: FoldTarget
    let slot: Int
    let connection: PostgresConnection
    /// Events that `applyCarefully` has set aside.
    private(set) var parked: [ParkedEvent] = []

    init(target: FoldTarget, slot: Int, connection: PostgresConnection) {
        self.target = target
        self.slot = slot
        self.connection = connection
    }

    /// All at once. Throws when any value is refused.
    func apply(
        _ program: FoldProgram, _ accumulator: UnsafeMutablePointer<FoldAccumulator>
    ) throws(PostgresError) {
        if case .entity = program.fold.kind {
            return try put(accumulator.pointee.winners, of: accumulator, program)
        }
        try put(Array(0..<accumulator.pointee.tuples.count), of: accumulator, program)
    }

    /// Each part behind a savepoint; what is refused is halved until it is one, which is parked. Of an entity every event
    /// of the batch is tried, because the winner may be the one that is refused.
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
        guard !tuples.isEmpty else { return }
        switch program.fold.kind {
        case .counter, .top:
            var counts = BinaryArray(.int8)
            for index in tuples { counts.append(integer: accumulator.pointee.tuples.entries[index].n) }
            var isTop = false
            if case .top = program.fold.kind { isTop = true }
            try connection.query(
                program.counterStatement(slot: isTop ? nil : slot),
                parameters: arrays(tuples, of: accumulator, program) + [counts.parameter])
        case .entity:
            try connection.query(
                program.entityStatement(), parameters: arrays(tuples, of: accumulator, program))
        case .append:
            try connection.query(
                program.appendStatement(), parameters: arrays(tuples, of: accumulator, program))
        case .unique:
            // In one order, so that two sessions of a slot wait for each other instead of deadlocking.
            let tuples = tuples.sorted {
                accumulator.pointee.tuples.tuple($0).lexicographicallyPrecedes(accumulator.pointee.tuples.tuple($1))
            }
            let hashes = hashes(of: tuples, in: accumulator)
            for start in stride(from: 0, to: tuples.count, by: Self.sketchesMax) {
                let part = start..<min(start + Self.sketchesMax, tuples.count)
                try putSketches(Array(tuples[part]), hashes[part], of: accumulator, program)
            }
        }
    }

    /// The hashes of each of the keys, in their order.
    private func hashes(of tuples: [Int], in accumulator: UnsafeMutablePointer<FoldAccumulator>) -> [[UInt64]] {
        var hashes = [[UInt64]](repeating: [], count: tuples.count)
        var places = [Int](repeating: -1, count: accumulator.pointee.tuples.count)
        for (place, index) in tuples.enumerated() { places[index] = place }
        for (key, hash) in accumulator.pointee.hashes where places[Int(key)] >= 0 {
            hashes[places[Int(key)]].append(hash)
        }
        return hashes
    }

    /// Reads the keys' rows under a lock, making those that are missing, and writes those that change. `hashes`: of each
    /// key, in their order.
    private func putSketches(
        _ tuples: [Int], _ hashes: ArraySlice<[UInt64]>, of accumulator: UnsafeMutablePointer<FoldAccumulator>,
        _ program: FoldProgram
    ) throws(PostgresError) {
        let keys = arrays(tuples, of: accumulator, program)
        var rows = try sketches(keys, program)
        if rows.flatMap(\.keys).count < tuples.count {
            try connection.query(
                program.sketchInsertion(slot: slot), parameters: keys + [.binary(HyperLogLog().bytes, type: 17)])
            rows = try sketches(keys, program)
        }
        var changed: [Int] = []
        var sketches = BinaryArray(.bytea)
        for row in rows {
            var sketch = row.sketch
            // Not short-circuited: all keys of the row go in.
            let isChanged = row.keys.reduce(false) { sketch.insert(hashes[hashes.startIndex + $1]) || $0 }
            guard isChanged, let first = row.keys.first else { continue }
            changed.append(tuples[first])
            sketch.bytes.withUnsafeBytes { sketches.append($0) }
        }
        guard !changed.isEmpty else { return }
        try connection.query(
            program.sketchUpdate(slot: slot),
            parameters: arrays(changed, of: accumulator, program) + [sketches.parameter])
    }

    /// Rows with the numbers of their keys, from 0: texts that differ may be one value of the column's type.
    private func sketches(
        _ keys: [PostgresParameter?], _ program: FoldProgram
    ) throws(PostgresError) -> [(keys: [Int], sketch: HyperLogLog)] {
        let result = try connection.query(
            program.sketchSelection(slot: slot), parameters: keys, answersBinary: true)
        var rows: [(keys: [Int], sketch: HyperLogLog)] = []
        var places: [String: Int] = [:]
        for row in 0..<result.rowCount {
            let number = result.withBytes(row, 0) { bytes in
                bytes.map { Int(Int64(bigEndian: $0.loadUnaligned(as: Int64.self))) } ?? 0
            }
            let location = result.string(row, 1) ?? ""
            if let place = places[location] {
                rows[place].keys.append(number - 1)
                continue
            }
            guard let sketch = result.withBytes(row, 2, { $0.flatMap { HyperLogLog(bytes: $0) } }) else {
                throw PostgresError(
                    code: .serverError, sqlState: SQLState(rawValue: "XX001"),
                    message: "\(program.table) holds a sketch that can't be read",
                    hint: "Rebuild the pack: millrace projections rebuild \(target.pack.name).")
            }
            places[location] = rows.count
            rows.append(([number - 1], sketch))
        }
        return rows
    }

    /// The tuples' columns, an array each; for a unique and a selection of keys only those of the key.
    private func arrays(
        _ tuples: [Int], of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram
    ) -> [PostgresParameter?] {
        var arrays = program.columns.map { BinaryArray($0.element) }
        for index in tuples {
            let tuple = accumulator.pointee.tuples.tuple(index)
            var offset = 0
            for column in arrays.indices {
                let end = offset + Self.fieldBytes(tuple, at: offset)
                arrays[column].append(field: UnsafeRawBufferPointer(rebasing: tuple[offset..<end]))
                offset = end
            }
        }
        return arrays.map(\.parameter)
    }

    private static func fieldBytes(_ tuple: UnsafeRawBufferPointer, at offset: Int) -> Int {
        4 + max(0, Int(Int32(bigEndian: tuple.loadUnaligned(fromByteOffset: offset, as: Int32.self))))
    }

    private mutating func park(
        _ index: Int, of accumulator: UnsafeMutablePointer<FoldAccumulator>, _ program: FoldProgram,
        _ error: PostgresError
    ) {
        let entry = accumulator.pointee.tuples.entries[index]
        let tuple = accumulator.pointee.tuples.tuple(index)
        var offset = 0
        var key: [String] = []
        for column in program.columns[..<program.keyCount] {
            let end = offset + Self.fieldBytes(tuple, at: offset)
            if case .text = column.element {
                key.append(String(decoding: tuple[min(offset + 4, end)..<end], as: UTF8.self))
            }
            offset = end
        }
        let events = entry.n > 1 ? " (\(entry.n) events of this batch, this one the first)" : ""
        parked.append(
            ParkedEvent(
                versionID: target.versionID, pack: target.pack.name, fold: program.fold.name,
                key: String(key.joined(separator: ", ").prefix(ParkedEvent.keyLengthMax)), code: "database",
                sqlState: error.sqlState?.rawValue, message: error.message + events, eventAt: entry.eventAt,
                eventID: UniqueID(high: entry.idHigh, low: entry.idLow)))
    }
}
