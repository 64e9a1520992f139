internal import CMillrace
internal import MillraceEvent
internal import MillracePostgres

/// What one fold has made of a batch's rows so far.
struct FoldAccumulator: ~Copyable {
    enum Kind: UInt8 {
        case count
        case unique
        case entity
        case append
    }

    /// Why a row is not folded.
    enum Refusal {
        /// Which column.
        case missingKey(Int)
        case relativeTime(Int)
        case notFinite(Int)
        /// nil: what a unique counts.
        case longNumbers(Int?)
        case unreadDocument
    }

    private let kind: Kind
    // SAFETY: a copy of the program's steps, allocated in init and freed in deinit; plain values, which need no
    // destruction. A copy, because reading an array of the program would retain it for each row.
    private let steps: UnsafeMutableBufferPointer<FoldStep>
    private let keyCount: Int
    private let distinct: FoldStep
    private var span: BucketSpan
    /// Counts: each key with its sums once. Uniques: each key once. Entities and appends: each row.
    private(set) var tuples = TupleStore()
    /// Of an entity: each key once, `n` is the index of its winner in `tuples`.
    private var keys = TupleStore()
    /// Of an entity: tuples of events that delete.
    private(set) var deleteCount = 0
    /// Of a unique: the hash of each row's value, row by row.
    private(set) var hashes: [UInt64] = []
    /// Which keys those are of: rows come in order of time, so that many in a row have the same. `end`: of the run.
    private(set) var hashRuns: [(key: Int, end: Int)] = []

    init(_ program: FoldProgram) {
        switch program.fold.kind {
        case .counter, .top: kind = .count
        case .unique: kind = .unique
        case .entity: kind = .entity
        case .append: kind = .append
        }
        steps = .allocate(capacity: program.columns.count)
        _ = steps.initialize(from: program.columns.map(\.step))
        keyCount = program.keyCount
        distinct = program.distinct ?? FoldStep(.column)
        span = BucketSpan(program.bucket ?? .hour)
    }

    deinit {
        steps.deallocate()
    }

    mutating func clear() {
        tuples.clear()
        keys.clear()
        deleteCount = 0
        hashes.removeAll(keepingCapacity: true)
        hashRuns.removeAll(keepingCapacity: true)
    }

    /// What the tuples and hashes take.
    var byteCount: Int { tuples.heldBytes + keys.heldBytes + hashes.count * MemoryLayout<UInt64>.stride }

    /// Indices of the tuples that go into the table when none is refused: all that add something, of an entity the
    /// winners'.
    var winningTuples: [Int] {
        if case .entity = kind { return (0..<keys.count).map { Int(keys.entries[$0].n) } }
        if case .count = kind { return (0..<tuples.count).filter { tuples.entries[$0].n != 0 } }
        return Array(0..<tuples.count)
    }

    /// Of these tuples, of an entity one of each key, the last in time.
    func winners(among accepted: [Int]) -> [Int] {
        guard accepted.count < tuples.count else { return winningTuples }
        guard case .entity = kind else { return accepted }
        var latest: [[UInt8]: Int] = [:]
        for index in accepted {
            var fields = TupleFields(tuples.tuple(index))
            let key = (0..<keyCount).flatMap { _ in Array(fields.next()) }
            guard let other = latest[key] else {
                latest[key] = index
                continue
            }
            let (one, two) = (tuples.entries[other], tuples.entries[index])
            if (one.stateAt, one.idHigh, one.idLow) < (two.stateAt, two.idHigh, two.idLow) { latest[key] = index }
        }
        return latest.values.sorted()
    }

    /// Indices of the tuples of events that delete, of an entity.
    var deletingTuples: [Int] {
        guard deleteCount > 0 else { return [] }
        return (0..<tuples.count).filter { index in
            var fields = TupleFields(tuples.tuple(index))
            // After the key, event_at and event_id.
            for _ in 0..<keyCount + 2 { _ = fields.next() }
            return fields.next().last == 1
        }
    }

    /// Folds a row in. Returns why it can't be. A row without a key, unless it is an entity's, and a unique's row
    /// without a value are left out silently. `weight`: what a count counts the row as.
    mutating func add(_ row: FoldRow, _ change: EntityChange, weight: Int64 = 1) -> Refusal? {
        var keyLength = 0
        let length: Int
        switch write(row, change, &keyLength) {
        case .success(let written): length = written
        case .refusal(let refusal):
            if case .missingKey = refusal, kind != .entity { return nil }
            return refusal
        }
        switch kind {
        case .count:
            let index = tuples.intern(length, eventAt: row.createdAt, idHigh: row.idHigh, idLow: row.idLow)
            tuples.entries[index].n += weight
        case .unique:
            if distinct.source == .path, row.paths[distinct.index].hasLongNumbers { return .longNumbers(nil) }
            guard let value = Self.value(of: distinct, row) else { return nil }
            let hash = HyperLogLog.hash(value)
            let index = tuples.intern(length, eventAt: row.createdAt, idHigh: row.idHigh, idLow: row.idLow)
            tuples.entries[index].n += 1
            hashes.append(hash)
            if hashRuns.last?.key == index {
                hashRuns[hashRuns.count - 1].end += 1
            } else {
                hashRuns.append((index, hashes.count))
            }
        case .entity:
            let index = tuples.append(length, eventAt: row.createdAt, idHigh: row.idHigh, idLow: row.idLow)
            if change == .delete { deleteCount += 1 }
            // Its own store for keys: `tuple` stays valid while `keys` grows.
            let tuple = tuples.tuple(index)
            if let start = tuple.baseAddress { keys.tail(keyLength).copyMemory(from: start, byteCount: keyLength) }
            let before = keys.count
            let stateAt = row.stateAt
            let key = keys.intern(keyLength, eventAt: stateAt, idHigh: row.idHigh, idLow: row.idLow)
            // SAFETY: nothing is added to `keys` until this row is done, so its entries stay where they are.
            let entry = keys.entries + key
            let isLater =
                (entry.pointee.eventAt, entry.pointee.idHigh, entry.pointee.idLow)
                < (stateAt, row.idHigh, row.idLow)
            if keys.count > before || isLater {
                entry.pointee.eventAt = stateAt
                entry.pointee.idHigh = row.idHigh
                entry.pointee.idLow = row.idLow
                entry.pointee.n = Int64(index)
            }
        case .append:
            _ = tuples.append(length, eventAt: row.createdAt, idHigh: row.idHigh, idLow: row.idLow)
        }
        return nil
    }

    /// Which tuple a row was counted in; nil: none. Of counts and uniques, once all rows are in, since what is not found is
    /// kept.
    mutating func tupleIndex(of row: FoldRow) -> Int? {
        guard kind == .count || kind == .unique else { return nil }
        var keyLength = 0
        guard case .success(let length) = write(row, .save, &keyLength) else { return nil }
        return tuples.intern(length, eventAt: row.createdAt, idHigh: row.idHigh, idLow: row.idLow)
    }

    private enum Written {
        case success(Int)
        case refusal(Refusal)
    }

    /// Writes the row's tuple to the tail of `tuples`.
    private mutating func write(_ row: FoldRow, _ change: EntityChange, _ keyLength: inout Int) -> Written {
        let isDelete = change == .delete
        // First how much room the tuple needs at most, then the tuple, without a check: each step writes no more below than
        // it counts here.
        var room = 0
        for step in steps {
            switch step.source {
            case .column: room += 4 + max(0, row.length(step.index))
            case .path: room += 4 + max(0, row.paths[step.index].length)
            case .bucket, .stateAt, .change: room += 12
            case .named: room += 4 + steps.count
            }
        }
        let start = tuples.tail(room)
        var at = start
        for index in 0..<steps.count {
            let step = steps[index]
            if index == keyCount { keyLength = at - start }
            switch step.source {
            case .column:
                let length = row.length(step.index)
                if length < 0 || step.isState && isDelete {
                    if step.isRequired { return .refusal(.missingKey(index)) }
                    at.storeBytes(of: Int32(-1).bigEndian, as: Int32.self)
                    at += 4
                } else if step.rules.isEmpty {
                    at.copyMemory(from: row.field(step.index), byteCount: 4 + length)
                    at += 4 + length
                } else if let refusal = Self.put(row.value(step.index), step.rules, column: index, &at) {
                    return .refusal(refusal)
                }
            case .path:
                let text = row.paths[step.index]
                guard let bytes = text.bytes, !(step.isState && isDelete) else {
                    if step.isRequired { return .refusal(.missingKey(index)) }
                    at.storeBytes(of: Int32(-1).bigEndian, as: Int32.self)
                    at += 4
                    continue
                }
                if text.hasLongNumbers { return .refusal(.longNumbers(index)) }
                guard step.rules.isEmpty else {
                    let value = UnsafeRawBufferPointer(start: bytes, count: text.length)
                    if let refusal = Self.put(value, step.rules, column: index, &at) { return .refusal(refusal) }
                    continue
                }
                at.storeBytes(of: Int32(truncatingIfNeeded: text.length).bigEndian, as: Int32.self)
                (at + 4).copyMemory(from: bytes, byteCount: text.length)
                at += 4 + text.length
            case .bucket:
                at.storeBytes(of: Int32(8).bigEndian, as: Int32.self)
                (at + 4).storeBytes(of: span.start(of: row.createdAt).bigEndian, as: Int64.self)
                at += 12
            case .stateAt:
                at.storeBytes(of: Int32(8).bigEndian, as: Int32.self)
                (at + 4).storeBytes(of: row.stateAt.bigEndian, as: Int64.self)
                at += 12
            case .change:
                at.storeBytes(of: Int32(4).bigEndian, as: Int32.self)
                (at + 4).storeBytes(of: Int32(change.rawValue).bigEndian, as: Int32.self)
                at += 8
            case .named:
                at += writeNamed(row, to: at)
            }
        }
        if steps.count == keyCount { keyLength = at - start }
        return .success(at - start)
    }

    /// Writes a digit for each column of a state, as text: 1 when the row's document has it, be it null. Returns its length.
    private func writeNamed(_ row: FoldRow, to start: UnsafeMutableRawPointer) -> Int {
        var at = start + 4
        for step in steps where step.isState {
            let isNamed = step.source == .path && row.paths[step.index].isThere
            at.storeBytes(of: UInt8(ascii: isNamed ? "1" : "0"), as: UInt8.self)
            at += 1
        }
        start.storeBytes(of: Int32(truncatingIfNeeded: at - start - 4).bigEndian, as: Int32.self)
        return at - start
    }

    /// Writes a text that has rules, with its length in front; or tells why not.
    private static func put(
        _ text: UnsafeRawBufferPointer, _ rules: ValueRules, column: Int, _ at: inout UnsafeMutableRawPointer
    ) -> Refusal? {
        switch rules.verdict(on: text) {
        case .relativeTime: return .relativeTime(column)
        case .notFinite: return .notFinite(column)
        case .taken(let length):
            at.storeBytes(of: Int32(truncatingIfNeeded: length).bigEndian, as: Int32.self)
            if let start = text.baseAddress { (at + 4).copyMemory(from: start, byteCount: length) }
            at += 4 + length
            return nil
        }
    }

    private static func value(of step: FoldStep, _ row: FoldRow) -> UnsafeRawBufferPointer? {
        switch step.source {
        case .path:
            guard let bytes = row.paths[step.index].bytes else { return nil }
            return UnsafeRawBufferPointer(start: bytes, count: row.paths[step.index].length)
        case .column, .bucket, .stateAt, .change, .named:
            return row.length(step.index) < 0 ? nil : row.value(step.index)
        }
    }
}

/// The bucket that the last time was in. Times in microseconds since 2000-01-01T00:00:00Z.
struct BucketSpan {
    private let unit: TimeBucket
    private var start: Int64 = 0
    private var end: Int64 = 0

    init(_ unit: TimeBucket) {
        self.unit = unit
    }

    /// Start of the bucket that `time` is in.
    mutating func start(of time: Int64) -> Int64 {
        if time < start || time >= end { move(to: time) }
        return start
    }

    private static let hour: Int64 = 3_600_000_000
    private static let day: Int64 = 24 * hour

    private mutating func move(to time: Int64) {
        switch unit {
        case .hour:
            start = Self.floor(time, Self.hour)
            end = start + Self.hour
        case .day:
            start = Self.floor(time, Self.day)
            end = start + Self.day
        case .month:
            guard let month = PartitionMonth(microseconds: time + Timestamp.postgresEpoch) else {
                preconditionFailure("a row lies in a partition, and so in a month")
            }
            start = month.lowerMicroseconds - Timestamp.postgresEpoch
            end = month.upperMicroseconds - Timestamp.postgresEpoch
        }
    }

    private static func floor(_ value: Int64, _ unit: Int64) -> Int64 {
        let rest = value % unit
        return value - (rest < 0 ? rest + unit : rest)
    }
}
