/// The fields of a tuple, one after the other, each with its length in front (int32, -1: null).
struct TupleFields {
    private let tuple: UnsafeRawBufferPointer
    private var offset = 0

    init(_ tuple: UnsafeRawBufferPointer) {
        self.tuple = tuple
    }

    mutating func next() -> UnsafeRawBufferPointer {
        let length = Int32(bigEndian: tuple.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        let start = offset
        offset += 4 + max(0, Int(length))
        return UnsafeRawBufferPointer(rebasing: tuple[start..<offset])
    }
}
