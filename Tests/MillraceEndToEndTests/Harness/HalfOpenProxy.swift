import Glibc
import MillraceTestSupport
import Synchronization

/// Stands between the daemon and PostgreSQL's Unix socket, and keeps from the server that a client is gone: as a firewall
/// that forgot a connection, or a host that lost power.
final class HalfOpenProxy: Sendable {
    private let scratch: ScratchDirectory
    private let server: Endpoint
    private let listener: Int32
    private let isStopped = Atomic<Bool>(false)
    private let sockets = Mutex<[Int32]>([])
    private let threads = Mutex<[BackgroundThread]>([])

    /// Starts it in front of the socket in `socketDirectory`.
    init(socketDirectory: String) throws {
        scratch = try ScratchDirectory()
        server = .unix(socketDirectory + "/.s.PGSQL.5432")
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let listener = listener
        guard Endpoint.unix(scratch.path + "/.s.PGSQL.5432").withAddress({ bind(listener, $0, $1) }) == 0,
            listen(listener, 64) == 0
        else { throw TestSupportError(message: "the proxy has no socket: \(String(cString: strerror(errno)))") }
        threads.withLock { $0.append(BackgroundThread { [self] in acceptAll() }) }
    }

    deinit { close(listener) }

    func connectionString(database: String) -> String {
        "host='\(scratch.path)' port=5432 user=millrace dbname=\(database)"
    }

    /// Ends all connections and threads. To be called once, or the threads keep the proxy alive.
    func stop() throws {
        isStopped.store(true, ordering: .relaxed)
        for socket in sockets.withLock({ $0 }) { shutdown(socket, Int32(SHUT_RDWR)) }
        while let thread = threads.withLock({ $0.popLast() }) { try thread.join() }
        for socket in sockets.withLock({ $0 }) { close(socket) }
    }

    private func acceptAll() {
        while !isStopped.load(ordering: .relaxed) {
            var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 50) > 0 else { continue }
            let client = accept(listener, nil, nil)
            guard client >= 0 else { continue }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard self.server.withAddress({ connect(server, $0, $1) }) == 0 else {
                close(client)
                close(server)
                continue
            }
            sockets.withLock { $0 += [client, server] }
            threads.withLock {
                $0.append(
                    BackgroundThread { [self] in
                        forward(client, to: server)
                        // Not a word of it to the server. What it says goes nowhere.
                    })
                $0.append(
                    BackgroundThread { [self] in
                        forward(server, to: client)
                        shutdown(client, Int32(SHUT_RDWR))
                    })
            }
        }
        for socket in sockets.withLock({ $0 }) { shutdown(socket, Int32(SHUT_RDWR)) }
    }

    /// Until `source` ends.
    private func forward(_ source: Int32, to target: Int32) {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = recv(source, &piece, piece.count, 0), count > 0 {
            var rest = piece[..<count]
            while !rest.isEmpty {
                let sent = rest.withUnsafeBytes { send(target, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                guard sent > 0 else { break }
                rest = rest.dropFirst(sent)
            }
        }
    }
}
