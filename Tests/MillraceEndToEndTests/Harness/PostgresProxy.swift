import Glibc
import MillraceTestSupport
import Synchronization

/// Stands between the daemon and PostgreSQL's Unix socket, and cuts connections around a COMMIT when it is told to, or
/// keeps from the server that a client is gone.
///
/// Two threads a connection: what the client says is cut into protocol messages, what the server says passes through.
final class PostgresProxy: Sendable {
    /// What happens to the next COMMIT. The client never sees its answer.
    enum Cut: CaseIterable, Sendable {
        /// The server never gets it.
        case beforeServer
        /// The server gets it, and the client is cut at once.
        case afterServer
        /// The client is cut, may connect anew and ask, and only then the server gets it: the worst case.
        case lateToServer
    }

    private let scratch: ScratchDirectory
    private let server: Endpoint
    private let isHalfOpen: Bool
    private let listener: Int32
    private let armed = Mutex<Cut?>(nil)
    private let cutCount = Atomic<Int>(0)
    private let isStopped = Atomic<Bool>(false)
    private let links = Mutex<[PostgresProxyLink]>([])
    private let acceptor = Mutex<BackgroundThread?>(nil)

    /// Starts it in front of the socket in `socketDirectory`.
    ///
    /// - Parameter isHalfOpen: the server isn't told when a client goes: as a firewall that forgot a connection, or a host
    ///   that lost power.
    init(socketDirectory: String, isHalfOpen: Bool = false) throws {
        self.isHalfOpen = isHalfOpen
        scratch = try ScratchDirectory()
        server = .unix(socketDirectory + "/.s.PGSQL.5432")
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let listener = listener
        guard Endpoint.unix(scratch.path + "/.s.PGSQL.5432").withAddress({ bind(listener, $0, $1) }) == 0,
            listen(listener, 64) == 0
        else { throw TestSupportError(message: "the proxy has no socket: \(String(cString: strerror(errno)))") }
        acceptor.withLock { $0 = BackgroundThread { [self] in acceptAll() } }
    }

    deinit { close(listener) }

    func connectionString(database: String) -> String {
        "host='\(scratch.path)' port=5432 user=millrace dbname=\(database)"
    }

    /// COMMITs that were cut so far.
    var cuts: Int { cutCount.load(ordering: .relaxed) }

    /// The next COMMIT that comes is cut.
    func arm(_ cut: Cut) {
        armed.withLock { $0 = cut }
    }

    func disarm() {
        armed.withLock { $0 = nil }
    }

    /// Ends all connections and threads. To be called once, or the threads keep the proxy alive.
    func stop() throws {
        isStopped.store(true, ordering: .relaxed)
        try acceptor.withLock { $0 }?.join()
        for link in links.withLock({ $0 }) { try link.stop() }
        links.withLock { $0 = [] }
    }

    private func acceptAll() {
        while !isStopped.load(ordering: .relaxed) {
            var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, 50) > 0 else { continue }
            let client = accept(listener, nil, nil)
            guard client >= 0 else { continue }
            let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            guard self.server.withAddress({ connect(server, $0, $1) }) == 0 else {
                close(client)
                close(server)
                continue
            }
            let link = PostgresProxyLink(client: client, server: server, isHalfOpen: isHalfOpen) { [self] in takeCut() }
            links.withLock { links in
                links.removeAll { $0.isOver }
                links.append(link)
            }
            link.start()
        }
    }

    private func takeCut() -> Cut? {
        armed.withLock { armed in
            guard let cut = armed else { return nil }
            armed = nil
            cutCount.add(1, ordering: .relaxed)
            return cut
        }
    }
}
