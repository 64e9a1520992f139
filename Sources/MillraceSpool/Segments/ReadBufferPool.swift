internal import MillraceChannels
internal import Synchronization

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
