import Glibc
import MillraceTestSupport
import Synchronization

/// Stands between a client of lines and a daemon. What the client says passes; the daemon's answers do up to a number of bytes,
/// and then the connection is cut, with the rest of them unheard. After so many cuts everything passes.
///
/// One thread; the client comes back over one connection at a time.
final class CuttingProxy: Sendable {
    let endpoint: Endpoint
    private let daemon: Endpoint
    private let listener: Int32
    private let cuts = Atomic<Int>(0)
    private let isStopped = Atomic<Bool>(false)
    private let thread = Mutex<BackgroundThread?>(nil)

    /// `answerBytes`: that pass on each connection that is cut.
    init(to daemon: Endpoint, cutsMax: Int, answerBytes: Range<Int>, seed: UInt64) throws {
        self.daemon = daemon
        endpoint = try .free()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let listener = listener
        var reuse: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        guard endpoint.withAddress({ bind(listener, $0, $1) }) == 0, listen(listener, 16) == 0 else {
            throw TestSupportError(message: "the proxy has no port: \(String(cString: strerror(errno)))")
        }
        thread.withLock {
            $0 = BackgroundThread { [self] in
                var random = SeededGenerator(seed: seed)
                while !isStopped.load(ordering: .relaxed) {
                    var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                    guard poll(&entry, 1, 20) > 0 else { continue }
                    let client = accept(listener, nil, nil)
                    let isCut = cutCount < cutsMax
                    carry(client, answerBytesMax: isCut ? Int.random(in: answerBytes, using: &random) : .max)
                }
            }
        }
    }

    deinit { close(listener) }

    /// Connections that were cut so far.
    var cutCount: Int { cuts.load(ordering: .relaxed) }

    /// Ends the thread, which keeps the proxy alive.
    func stop() throws {
        isStopped.store(true, ordering: .relaxed)
        try thread.withLock { $0 }?.join()
    }

    /// One connection, to its end or its cut.
    private func carry(_ client: Int32, answerBytesMax: Int) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer {
            close(client)
            close(server)
        }
        // A daemon that is away: the client is cut.
        guard daemon.withAddress({ connect(server, $0, $1) }) == 0 else { return }
        var piece = [UInt8](repeating: 0, count: 1 << 14)
        var passed = 0
        while !isStopped.load(ordering: .relaxed) {
            var entries = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&entries, 2, 20) > 0 else { continue }
            if entries[0].revents != 0 {
                let count = recv(client, &piece, piece.count, 0)
                guard count > 0, Self.send(piece[..<count], to: server) else { return }
            }
            if entries[1].revents != 0 {
                let count = recv(server, &piece, piece.count, 0)
                guard count > 0 else { return }
                guard passed + count <= answerBytesMax else {
                    cuts.add(1, ordering: .relaxed)
                    return
                }
                passed += count
                guard Self.send(piece[..<count], to: client) else { return }
            }
        }
    }

    private static func send(_ bytes: ArraySlice<UInt8>, to socket: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
