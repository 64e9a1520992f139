internal import Synchronization

/// Wakes what writes one stream, and tells it when to end. Any thread.
final class StreamSignal: Sendable {
    /// Why a stream ends.
    enum End: String, Sendable {
        /// The daemon stops.
        case draining
        /// Its key or token is no longer in force, or one is wanted now.
        case unauthenticated
        /// The client is.
        case gone

        /// For the reader.
        var message: String {
            switch self {
            case .draining: "the daemon is stopping; ask again after the time in retry"
            case .unauthenticated: "the key or token of this stream is not in force any more"
            case .gone: "the connection is closed"
            }
        }
    }

    private let ending = Mutex<End?>(nil)
    private let woken: AsyncStream<Void>.Continuation
    /// One element stands for any number of calls of `wake` since the last one.
    let wakes: AsyncStream<Void>

    init() {
        (wakes, woken) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Nil: it goes on.
    var end: End? { ending.withLock { $0 } }

    func wake() { woken.yield() }

    /// The first reason counts.
    func end(_ reason: End) {
        ending.withLock { $0 = $0 ?? reason }
        wake()
    }
}
