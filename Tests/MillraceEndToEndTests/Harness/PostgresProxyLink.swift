import Glibc
import MillraceTestSupport
import Synchronization

/// One connection through a `PostgresProxy`.
final class PostgresProxyLink: Sendable {
    private static let lateMicroseconds: UInt32 = 300_000

    private let client: Int32
    private let server: Int32
    private let isHalfOpen: Bool
    private let takeCut: @Sendable () -> PostgresProxy.Cut?
    /// From now on the client hears nothing.
    private let isCut = Atomic<Bool>(false)
    private let openThreads = Atomic<Int>(2)
    private let threads = Mutex<[BackgroundThread]>([])

    /// Owns both sockets. `takeCut`: asked at each COMMIT.
    init(client: Int32, server: Int32, isHalfOpen: Bool, takeCut: @escaping @Sendable () -> PostgresProxy.Cut?) {
        self.client = client
        self.server = server
        self.isHalfOpen = isHalfOpen
        self.takeCut = takeCut
    }

    deinit {
        close(client)
        close(server)
    }

    var isOver: Bool { openThreads.load(ordering: .acquiring) == 0 }

    func start() {
        threads.withLock { threads in
            threads = [
                BackgroundThread { [self] in
                    forwardClient()
                    openThreads.subtract(1, ordering: .releasing)
                },
                BackgroundThread { [self] in
                    forwardServer()
                    openThreads.subtract(1, ordering: .releasing)
                },
            ]
        }
    }

    func stop() throws {
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
        for thread in threads.withLock({ $0 }) { try thread.join() }
    }

    private func forwardClient() {
        var messages = PostgresMessages()
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(client, &piece, piece.count, 0)
            guard count > 0 else { break }
            messages.append(piece[..<count])
            while let message = messages.next() {
                if message.isCommit, let cut = takeCut() {
                    carryOut(cut, message.bytes)
                    return
                }
                guard Self.send(message.bytes, to: server) else { return }
            }
        }
        if !isHalfOpen { shutdown(server, Int32(SHUT_WR)) }
    }

    private func carryOut(_ cut: PostgresProxy.Cut, _ commit: [UInt8]) {
        isCut.store(true, ordering: .sequentiallyConsistent)
        if cut == .afterServer { _ = Self.send(commit, to: server) }
        shutdown(client, Int32(SHUT_RDWR))
        if cut == .lateToServer {
            usleep(Self.lateMicroseconds)
            _ = Self.send(commit, to: server)
        }
        shutdown(server, Int32(SHUT_WR))
    }

    private func forwardServer() {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(server, &piece, piece.count, 0)
            guard count > 0 else { break }
            if !isCut.load(ordering: .sequentiallyConsistent) { _ = Self.send(Array(piece[..<count]), to: client) }
        }
        shutdown(client, Int32(SHUT_RDWR))
    }

    private static func send(_ bytes: [UInt8], to socket: Int32) -> Bool {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress?.advanced(by: offset), $0.count - offset, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            offset += count
        }
        return true
    }
}
