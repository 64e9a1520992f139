internal import MillraceChannels
internal import Synchronization

/// Bytes to read into, grown when a record needs it; reused, since an extent is about a MiB.
final class ReadBuffer: @unchecked Sendable {  // SAFETY: owned by one reader at a time, which `ReadBufferPool` sees to.
    /// Readable bytes after what was asked for: the parsers read ahead.
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

/// A few read buffers for the writers, so that reading an extent allocates nothing.
final class ReadBufferPool: Sendable {
    private static let buffersMax = 8
    /// A buffer that grew for one giant record is not kept.
    private static let keptBytesMax = 2 * Extent.bytesMax

    private let idle = Mutex<[ReadBuffer]>([])

    func take() -> ReadBuffer {
        idle.withLock { $0.popLast() } ?? ReadBuffer(capacity: Extent.bytesMax)
    }

    func giveBack(_ buffer: ReadBuffer) {
        guard buffer.capacity <= Self.keptBytesMax else { return }
        idle.withLock { idle in
            if idle.count < Self.buffersMax { idle.append(buffer) }
        }
    }
}
