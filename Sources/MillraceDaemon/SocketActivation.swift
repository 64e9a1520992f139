import Glibc
import MillraceIntake

/// Listening sockets that the service manager opened (sd_listen_fds(3)): descriptors from 3 on, told apart by their
/// `FileDescriptorName=`: `tcp` and `http`.
struct SocketActivation {
    /// SD_LISTEN_FDS_START.
    private static let firstDescriptor: Int32 = 3

    let tcp: [ListenAddress]
    let http: [ListenAddress]

    /// `environment`: of the process; `process`: its id, since a child inherits the variables but not the sockets.
    /// Throws for a socket whose name is neither, or which others than this machine can reach: that one needs
    /// authentication, as any listener does.
    init(environment: [String: String], process: Int32 = getpid()) throws(SocketActivationError) {
        guard environment["LISTEN_PID"] == String(process), let count = environment["LISTEN_FDS"].flatMap(Int32.init)
        else {
            tcp = []
            http = []
            return
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(separator: ":", omittingEmptySubsequences: false)
        var addresses: [Substring: [ListenAddress]] = [:]
        for index in 0..<count {
            let descriptor = Self.firstDescriptor + index
            let name = Int(index) < names.count ? names[Int(index)] : ""
            guard name == "tcp" || name == "http" else {
                throw SocketActivationError(
                    message: "socket \(descriptor) from the service manager is named \"\(name)\"",
                    hint: "write FileDescriptorName=tcp or FileDescriptorName=http into the socket unit")
            }
            guard Self.isLocal(descriptor) else {
                throw SocketActivationError(
                    message: "socket \(descriptor) from the service manager (\(name)) is not loopback",
                    hint: "no authentication is configured: listen on 127.0.0.1, [::1] or a path in the socket unit")
            }
            // The embedded cluster's processes must not inherit it.
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            addresses[name, default: []].append(.inherited(descriptor: descriptor))
        }
        tcp = addresses["tcp"] ?? []
        http = addresses["http"] ?? []
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
