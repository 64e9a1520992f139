internal import MillraceAccess
internal import MillraceIntake

/// An address of `tcp.listen` or `http.listen` that others than this machine reach.
package struct RemoteListener: Sendable, Equatable {
    /// `tcp.listen` or `http.listen`.
    package var key: String
    /// As it is written.
    package var address: String
    package var hasTLS: Bool
}

extension DaemonConfiguration {
    /// What others reach, of both lists.
    package var remoteListeners: [RemoteListener] {
        [("tcp.listen", tcp.listen, tcp.tls), ("http.listen", http.listen, http.tls)].flatMap { key, addresses, tls in
            addresses.filter { ListenerReach($0) == .remote }.map {
                RemoteListener(key: key, address: $0, hasTLS: tls)
            }
        }
    }

    /// Whether a key is wanted of everyone before any was made: where `auth.required` says so, or others reach the daemon.
    package var wantsKeys: Bool { auth.required || !remoteListeners.isEmpty }
}

/// Who can connect to a listener's address.
enum ListenerReach {
    /// This machine only: loopback or a Unix socket.
    case local
    case remote

    /// Nil when `address` is none of `host:port`, `[v6]:port` and `unix:/path`.
    init?(_ address: String) {
        if address.hasPrefix("unix:") {
            let path = address.dropFirst("unix:".count)
            // sockaddr_un holds 108 bytes with the NUL.
            guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
            self = .local
            return
        }
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = address[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.contains(" ") else { return nil }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isLoopbackV4 = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        self = host == "localhost" || host == "::1" || isLoopbackV4 ? .local : .remote
    }
}
