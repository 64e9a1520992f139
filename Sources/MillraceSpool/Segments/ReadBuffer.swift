/// Bytes to read into, grown when a record needs it; reused, since an extent is about a MiB.
// SAFETY: owned by one reader at a time (`ReadBufferPool` hands it out once); `bytes` is freed in deinit only.
final class ReadBuffer: @unchecked Sendable {
    /// Readable bytes behind what was asked for: simdjson reads ahead.
    static let paddingBytes = 64

    private(set) var bytes: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        bytes = .allocate(byteCount: capacity + Self.paddingBytes, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        bytes.deallocate()
    }

    /// Bytes without the padding.
    var capacity: Int { bytes.count - Self.paddingBytes }

    /// Makes room for `count` bytes and the padding; what was in it is lost when it grows.
    func reserve(_ count: Int) {
        guard count > capacity else { return }
        bytes.deallocate()
        bytes = .allocate(byteCount: count + Self.paddingBytes, alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }
}
