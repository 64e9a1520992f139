internal import MillraceRoutes

/// A host and its port, as `Host` and `Origin` name them.
struct HTTPAuthority: Equatable {
    /// In lower case, without brackets and without a dot at the end.
    let host: String
    /// Nil when none is given.
    let port: Int?

    /// From `host`, `host:port` or `[v6]:port`; nil for anything else.
    init?(_ text: some StringProtocol) {
        var host = text[...]
        var port: Substring?
        if host.first == "[" {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return nil }
            port = rest.isEmpty ? nil : Substring(rest.dropFirst())
            host = host[host.index(after: host.startIndex)..<end]
        } else if let colon = host.firstIndex(of: ":") {
            port = Substring(host[host.index(after: colon)...])
            host = host[..<colon]
        }
        if host.last == "." { host = host.dropLast() }
        let isPlain = host.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "@")
        }
        guard !host.isEmpty, isPlain else { return nil }
        self.host = host.lowercased()
        // `host:` is the default port (RFC 3986, 3.2.3).
        if let port, !port.isEmpty {
            guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port) else { return nil }
            self.port = Int(number)
        } else {
            self.port = nil
        }
    }

    /// `localhost`, a name under it, or a loopback address.
    var isLoopback: Bool { host.hasSuffix(".localhost") || Loopback.hasName(host) }
}
