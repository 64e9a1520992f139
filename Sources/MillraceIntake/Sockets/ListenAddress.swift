internal import MillraceRoutes

/// Where an intake listens: `host:port`, `[v6]:port`, `unix:/path`, or a socket that was opened by systemd.
package enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// Port 0 lets the system choose.
    case tcp(host: String, port: Int)
    case unix(path: String)
    /// An open, listening socket; closed when the intake stops.
    case inherited(descriptor: Int32)

    /// From the configuration's text; nil when it is none of the three forms.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            // sockaddr_un holds 108 bytes with the NUL.
            guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.contains(" ") else { return nil }
        self = .tcp(host: String(host), port: port)
    }

    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited(let descriptor): "fd:\(descriptor)"
        }
    }

    /// True when only this machine can connect. An inherited socket is taken for reachable from outside.
    package var isLocal: Bool {
        switch self {
        case .tcp(let host, _): Loopback.hasName(host)
        case .unix: true
        case .inherited: false
        }
    }
}
