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
