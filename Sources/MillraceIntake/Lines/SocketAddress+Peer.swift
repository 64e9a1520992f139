internal import NIOCore

extension SocketAddress {
    /// For logs and dead letters: without the host name.
    var peerName: String {
        switch self {
        case .unixDomainSocket: "unix"
        case .v4, .v6: "\(ipAddress ?? "unknown"):\(port ?? 0)"
        }
    }
}
