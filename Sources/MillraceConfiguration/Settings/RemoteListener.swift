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
            addresses.filter { ListenAddress($0)?.isLocal == false }.map {
                RemoteListener(key: key, address: $0, hasTLS: tls)
            }
        }
    }

    /// Whether a key is wanted of everyone before any was made: where `auth.required` says so, or others reach the daemon.
    package var wantsKeys: Bool { auth.required || !remoteListeners.isEmpty }
}
