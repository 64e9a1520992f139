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
