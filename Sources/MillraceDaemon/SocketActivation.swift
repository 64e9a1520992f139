import Glibc
import MillraceAccess
import MillraceConfiguration
import MillraceIntake

/// Listening sockets that the service manager opened (sd_listen_fds(3)): descriptors from 3 on, told apart by their
/// `FileDescriptorName=`: `tcp` and `http`.
struct SocketActivation {
    /// SD_LISTEN_FDS_START.
    private static let firstDescriptor: Int32 = 3

    let tcp: [ListenAddress]
    let http: [ListenAddress]
    /// Others than this machine reach one of them.
    let areRemote: Bool
    /// Those that they reach without TLS, by name.
    let plainRemote: [String]

    /// `environment`: of the process; `process`: its id, since a child inherits the variables but not the sockets.
    /// Throws for a socket whose name is neither, or which others than this machine reach and that is without TLS, as for
    /// any listener.
    init(
        environment: [String: String], configuration: DaemonConfiguration, process: Int32 = getpid()
    ) throws(SocketActivationError) {
        guard environment["LISTEN_PID"] == String(process), let count = environment["LISTEN_FDS"].flatMap(Int32.init)
        else {
            tcp = []
            http = []
            areRemote = false
            plainRemote = []
            return
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        var addresses: [Substring: [ListenAddress]] = [:]
        var isRemote = false
        var plain: [String] = []
        for index in 0..<count {
            let descriptor = Self.firstDescriptor + index
            let name = Int(index) < names.count ? names[Int(index)] : ""
            guard name == "tcp" || name == "http" else {
                throw SocketActivationError(
                    message: "socket \(descriptor) from the service manager is named \"\(name)\"",
                    hint: "write FileDescriptorName=tcp or FileDescriptorName=http into the socket unit")
            }
            if !Self.isLocal(descriptor) {
                let hasTLS = name == "tcp" ? configuration.tcp.tls : configuration.http.tls
                guard hasTLS || configuration.auth.plaintextBehindProxy else {
                    throw SocketActivationError(
                        message: "socket \(descriptor) from the service manager (\(name)) is not loopback",
                        hint:
                            "it wants TLS (\(name).tls = true, with tls.certificate and tls.key), and of every client a "
                            + "key (`millrace keys create`); where a proxy on a private network ends TLS, "
                            + "auth.plaintext_behind_proxy = true does without the first; or listen on 127.0.0.1, [::1] "
                            + "or a path in the socket unit")
                }
                isRemote = true
                if !hasTLS { plain.append("\(name) socket \(descriptor)") }
            }
            // The embedded cluster's processes must not inherit it.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            addresses[name, default: []].append(.inherited(descriptor: descriptor))
        }
        tcp = addresses["tcp"] ?? []
        http = addresses["http"] ?? []
        areRemote = isRemote
        plainRemote = plain
    }

    /// A Unix socket, or bound to a loopback address.
    private static func isLocal(_ descriptor: Int32) -> Bool {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getsockname(descriptor, address, &length) == 0 else { return false }
                switch Int32(address.pointee.sa_family) {
                case AF_UNIX: return true
                case AF_INET:
                    return storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        UInt32(bigEndian: $0.pointee.sin_addr.s_addr) >> 24 == 127
                    }
                case AF_INET6:
                    return storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                        withUnsafeBytes(of: address.pointee.sin6_addr) { bytes in
                            bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
                        }
                    }
                default: return false
                }
            }
        }
    }
}

/// A socket from the service manager that can't be used.
struct SocketActivationError: Error, CustomStringConvertible {
    let message: String
    /// The operator's next step.
    let hint: String

    var description: String { "\(message); \(hint)" }
}
