/// Uninitialised memory that is freed with the object. One owner writes to it.
final class RawBuffer {
    // SAFETY: allocated once, freed in deinit; whoever uses it keeps the object.
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 64)
    }

    deinit {
        bytes.deallocate()
    }
}
