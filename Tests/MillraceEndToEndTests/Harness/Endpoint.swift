import Glibc
import MillraceTestSupport
import Synchronization

/// Where a daemon listens.
enum Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// Of 127.0.0.1.
    case port(Int)
    case unix(String)

    /// As config.toml has it.
    var description: String {
        switch self {
        case .port(let port): "127.0.0.1:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Below the range that the kernel takes ports of outgoing connections from, so that nobody takes it while the
    /// daemon is restarted.
    private static let nextPort = Atomic<Int>(20_000 + Int(getpid()) * 16 % 10_000)

    /// A loopback port that nobody listens on.
    static func free() throws -> Endpoint { try .port(freePort()) }

    static func freePort() throws -> Int {
        for _ in 0..<1000 {
            let port = nextPort.add(1, ordering: .relaxed).oldValue
            let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            defer { close(socket) }
            var reuse: Int32 = 1
            setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
            if Endpoint.port(port).withAddress({ bind(socket, $0, $1) }) == 0 { return port }
        }
        throw TestSupportError(message: "no free port on 127.0.0.1")
    }

    var family: Int32 {
        switch self {
        case .port: AF_INET
        case .unix: AF_UNIX
        }
    }

    func withAddress<Answer>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Answer) -> Answer {
        switch self {
        case .port(let port):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            return withUnsafeBytes(of: &address) { Self.call($0, body) }
        case .unix(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
            return withUnsafeBytes(of: &address) { Self.call($0, body) }
        }
    }

    private static func call<Answer>(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Answer
    ) -> Answer {
        guard let base = bytes.baseAddress else { preconditionFailure("an address has bytes") }
        return body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
}
