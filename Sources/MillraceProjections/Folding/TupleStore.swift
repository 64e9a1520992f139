internal import MillraceEvent

/// Tuples of one fold: columns as rows of binary COPY have them (int32 length, -1 = null, then the value), each tuple
/// once when it is interned. Keeps its memory from batch to batch, up to `keptBytesMax`.
struct TupleStore: ~Copyable {
    struct Entry {
        var offset: Int
        var length: Int
        var hash: UInt32
        /// Rows that have it; of a winner's key, the index of the winner.
        var n: Int64
        /// Of the first row that had it: created_at in microseconds since 2000, and id.
        var eventAt: Int64
        var idHigh: UInt64
        var idLow: UInt64

        /// As `FoldRow.stateAt`.
        var stateAt: Int64 { min(DatedIdentity.microseconds(high: idHigh, low: idLow) ?? eventAt, eventAt) }
    }

    private static let keptBytesMax = 16 << 20
    private static let byteCapacityMin = 1 << 12

    // Pointers instead of arrays: this runs for each row and fold, and an array would check bounds, uniqueness and exclusive
    // access at each step.
    // SAFETY: `bytes`, `entries` and `slots` are allocated here, freed once in deinit, and replaced only in `clear`,
    // `reserve`, `growEntries` and `growSlots`. Pointers that were handed out (`tail`, `tuple`, `entries`) end there, so
    // nobody keeps one over a mutating call; offsets and indices stay valid until `clear`. What is in `entries` is plain, so
    // `count` of them are initialized and none needs to be destroyed.
    private var bytes = UnsafeMutableRawPointer.allocate(byteCount: byteCapacityMin, alignment: 8)
    private var byteCapacity = byteCapacityMin
    private var byteCount = 0
    private(set) var entries = UnsafeMutablePointer<Entry>.allocate(capacity: 64)
    private var entryCapacity = 64
    private(set) var count = 0
    /// Open addressing: index + 1 of an entry, 0: free. At most half full.
    private var slots = UnsafeMutablePointer<UInt32>.allocate(capacity: 256)
    private var slotCount = 256
    /// The entry that was interned last: of buckets and other keys that many rows in a row share, it is the next one too.
    private var latest = 0

    /// Of the tuples, without room for more.
    var heldBytes: Int { byteCount + count * MemoryLayout<Entry>.stride }

    init() {
        slots.initialize(repeating: 0, count: slotCount)
    }

    deinit {
        bytes.deallocate()
        entries.deallocate()
        slots.deallocate()
    }

    mutating func clear() {
        if count > 0 { slots.update(repeating: 0, count: slotCount) }
        count = 0
        byteCount = 0
        latest = 0
        guard byteCapacity > Self.keptBytesMax else { return }
        bytes.deallocate()
        byteCapacity = Self.byteCapacityMin
        bytes = .allocate(byteCount: byteCapacity, alignment: 8)
    }

    /// Where the next tuple is written, with room for `length` bytes; valid until the next call. It is kept only when
    /// `append` or `intern` follows, so a row that is refused half-way leaves no trace.
    mutating func tail(_ length: Int) -> UnsafeMutableRawPointer {
        if byteCapacity - byteCount < length { reserve(length) }
        return bytes + byteCount
    }

    /// The tuple of the `index`th entry.
    func tuple(_ index: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes + entries[index].offset, count: entries[index].length)
    }

    /// Keeps the `length` bytes that were written at the tail. Returns the entry's index.
    mutating func append(_ length: Int, eventAt: Int64, idHigh: UInt64, idLow: UInt64, hash: UInt32 = 0) -> Int {
        if count == entryCapacity { growEntries() }
        (entries + count).initialize(
            to: Entry(
                offset: byteCount, length: length, hash: hash, n: 0, eventAt: eventAt, idHigh: idHigh, idLow: idLow))
        byteCount += length
        count += 1
        return count - 1
    }

    /// Looks for the `length` bytes that were written at the tail, and keeps them when they are new.
    mutating func intern(_ length: Int, eventAt: Int64, idHigh: UInt64, idLow: UInt64) -> Int {
        let tail = bytes + byteCount
        if latest < count, entries[latest].length == length, Self.isEqual(bytes + entries[latest].offset, tail, length)
        {
            return latest
        }
        let hash = Self.hash(tail, length)
        var slot = Int(hash) & (slotCount - 1)
        while slots[slot] != 0 {
            let index = Int(slots[slot]) - 1
            let entry = entries + index
            if entry.pointee.hash == hash, entry.pointee.length == length,
                Self.isEqual(bytes + entry.pointee.offset, tail, length)
            {
                latest = index
                return index
            }
            slot = (slot + 1) & (slotCount - 1)
        }
        let index = append(length, eventAt: eventAt, idHigh: idHigh, idLow: idLow, hash: hash)
        slots[slot] = UInt32(count)
        latest = index
        // Never full, or the search above would not end.
        if count * 2 > slotCount { growSlots() }
        return index
    }

    private mutating func reserve(_ more: Int) {
        var capacity = byteCapacity * 2
        while capacity - byteCount < more { capacity *= 2 }
        let moved = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        moved.copyMemory(from: bytes, byteCount: byteCount)
        bytes.deallocate()
        bytes = moved
        byteCapacity = capacity
    }

    private mutating func growEntries() {
        let moved = UnsafeMutablePointer<Entry>.allocate(capacity: entryCapacity * 2)
        moved.moveInitialize(from: entries, count: count)
        entries.deallocate()
        entries = moved
        entryCapacity *= 2
    }

    private mutating func growSlots() {
        slots.deallocate()
        slotCount *= 4
        slots = UnsafeMutablePointer<UInt32>.allocate(capacity: slotCount)
        slots.initialize(repeating: 0, count: slotCount)
        for index in 0..<count {
            var slot = Int(entries[index].hash) & (slotCount - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slotCount - 1) }
            slots[slot] = UInt32(index + 1)
        }
    }

    /// Eight bytes at a time; only ever compared within one process.
    private static func hash(_ bytes: UnsafeMutableRawPointer, _ length: Int) -> UInt32 {
        var hash = UInt64(truncatingIfNeeded: length) &* 0x9E37_79B9_7F4A_7C15
        var at = 0
        while length - at >= 8 {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x9FB2_1C65_1E98_DF25
            hash ^= hash >> 32
            at += 8
        }
        var rest: UInt64 = 0
        while at < length {
            rest = rest << 8 | UInt64(bytes.load(fromByteOffset: at, as: UInt8.self))
            at += 1
        }
        hash = (hash ^ rest) &* 0x9FB2_1C65_1E98_DF25
        hash ^= hash >> 29
        hash = hash &* 0x9E37_79B9_7F4A_7C15
        return UInt32(truncatingIfNeeded: hash >> 32)
    }

    private static func isEqual(
        _ one: UnsafeMutableRawPointer, _ two: UnsafeMutableRawPointer, _ length: Int
    ) -> Bool {
        var at = 0
        while length - at >= 8 {
            if one.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                != two.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            {
                return false
            }
            at += 8
        }
        while at < length {
            if one.load(fromByteOffset: at, as: UInt8.self) != two.load(fromByteOffset: at, as: UInt8.self) {
                return false
            }
            at += 1
        }
        return true
    }
}

/// The fields of a tuple, one after the other, each with its length in front (int32, -1: null).
struct TupleFields {
    private let tuple: UnsafeRawBufferPointer
    private var offset = 0

    init(_ tuple: UnsafeRawBufferPointer) {
        self.tuple = tuple
    }

    /// Of any fold's tuple: its first column.
    static func tenant(of tuple: UnsafeRawBufferPointer) -> Int32 {
        Int32(bigEndian: tuple.loadUnaligned(fromByteOffset: 4, as: Int32.self))
    }

    mutating func next() -> UnsafeRawBufferPointer {
        let length = Int32(bigEndian: tuple.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        let start = offset
        offset += 4 + max(0, Int(length))
        return UnsafeRawBufferPointer(rebasing: tuple[start..<offset])
    }
}

/// What is to be done with rows of an event type, looked up by its bytes. One look-up a row, one decision a type.
struct TypeTable: ~Copyable {
    /// Distinct types that are remembered; made-up types must not fill the memory.
    static let countMax = 8192

    /// `UInt32.max`: not seen yet.
    static let unknown = UInt32.max

    private var names = TupleStore()
    private var latest = 0

    init() {}

    mutating func clear() {
        names.clear()
        latest = 0
    }

    /// The number of the type, counted from 0 in the order in which they were first seen.
    mutating func number(of type: UnsafeRawBufferPointer) -> (number: Int, isNew: Bool) {
        guard let start = type.baseAddress else { return (0, names.count == 0) }
        if latest < names.count, names.tuple(latest).elementsEqual(type) { return (latest, false) }
        let before = names.count
        names.tail(type.count).copyMemory(from: start, byteCount: type.count)
        latest = names.intern(type.count, eventAt: 0, idHigh: 0, idLow: 0)
        return (latest, names.count > before)
    }

    var isFull: Bool { names.count >= Self.countMax }
}
