/// Decides which requests are let in: tells requests of this machine's programs from those that a page of a foreign
/// site makes a browser send, by `Host` (a foreign name that was pointed at this address) and by `Origin`.
struct HTTPDoor: Sendable {
    /// Where a connection came in.
    struct Entrance: Sendable, Equatable {
        /// Nil for a Unix socket, which no browser reaches.
        var address: String?
        var port: Int?
    }

    /// Of listeners and `http.hosts`, in lower case.
    private let names: Set<String>

    init(listen: [ListenAddress], hosts: [String]) {
        var names = hosts.compactMap { HTTPAuthority($0)?.host }
        for case .tcp(let host, _) in listen { names.append(host.lowercased()) }
        self.names = Set(names)
    }

    /// Why a request is not let in; nil when it is.
    func problem(_ fields: HTTPRequestFields, at entrance: Entrance) -> HTTPProblem? {
        let host = fields.host.flatMap { HTTPAuthority($0) }
        // HTTP/1.0 has no Host, and no browser speaks it.
        if entrance.address != nil, fields.host != nil, !isOurs(host, entrance) {
            return HTTPProblem(
                .unknownHost, "this daemon does not go by the name in Host; use localhost, or list it in http.hosts")
        }
        guard isForeign(fields, host, entrance) else { return nil }
        return HTTPProblem(.forbiddenOrigin, "a page of another origin sent this; Millrace takes nothing from there")
    }

    private func isOurs(_ authority: HTTPAuthority?, _ entrance: Entrance) -> Bool {
        guard let authority else { return false }
        return authority.isLoopback || names.contains(authority.host) || authority.host == entrance.address
    }

    private func isForeign(_ fields: HTTPRequestFields, _ host: HTTPAuthority?, _ entrance: Entrance) -> Bool {
        guard let origin = fields.origin else {
            // Pictures and scripts come without Origin; a link that someone followed may.
            return fields.isFetchedByForeignPage
        }
        guard let scheme = origin.firstIndex(of: ":"), origin[scheme...].hasPrefix("://"),
            let page = HTTPAuthority(origin[scheme...].dropFirst(3))
        else { return true }
        let defaultPort = origin[..<scheme].lowercased() == "https" ? 443 : 80
        let port = page.port ?? defaultPort
        if let host, host.host == page.host, (host.port ?? defaultPort) == port { return false }
        return !(isOurs(page, entrance) && port == entrance.port)
    }
}
