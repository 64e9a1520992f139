internal import MillraceAccess
internal import MillraceRoutes
internal import NIOCore
internal import NIOHTTP1

/// Tells requests of this machine's programs from those that a page of a foreign site makes a browser send, by `Host` (a
/// foreign name that was pointed at this address) and by `Origin`.
struct HTTPDoor: Sendable {
    /// Where a connection came in.
    struct Entrance: Sendable, Equatable {
        /// Nil for a Unix socket, which no browser reaches.
        var address: String?
        var port: Int?
    }

    /// Of listeners and `http.hosts`, in lower case.
    private let names: Set<String>
    /// Of `http.cors_origins`.
    private let origins: OriginList

    init(listen: [ListenAddress], hosts: [String], origins: [String] = []) {
        var names = hosts.compactMap { HTTPAuthority($0)?.host }
        for case .tcp(let host, _) in listen { names.append(host.lowercased()) }
        self.names = Set(names)
        self.origins = OriginList(origins)
    }

    /// Why a request is not let in, whatever it asks for; nil when it is.
    func problem(_ fields: HTTPRequestFields, at entrance: Entrance) -> HTTPProblem? {
        // HTTP/1.0 has no Host, and no browser speaks it.
        guard entrance.address != nil, let host = fields.host, !isOurs(HTTPAuthority(host), entrance) else {
            return nil
        }
        return HTTPProblem(
            .unknownHost, "this daemon does not go by the name in Host; use localhost, or list it in http.hosts")
    }

    private func isOurs(_ authority: HTTPAuthority?, _ entrance: Entrance) -> Bool {
        guard let authority else { return false }
        return authority.isLoopback || names.contains(authority.host) || authority.host == entrance.address
    }

    /// The page of another origin that sent the request; nil where none did.
    ///
    /// `isSending`: the request may write. Then it counts what a page navigates to as well, be it in a frame, and where a
    /// browser tells no more than `Referer`, that.
    func foreignPage(_ fields: HTTPRequestFields, at entrance: Entrance, isSending: Bool) -> ForeignPage? {
        if let origin = fields.origin { return isForeign(origin, fields, entrance) ? page(origin) : nil }
        // Pictures and scripts come without Origin; a link that someone followed may.
        guard isSending else { return fields.isFetchedByForeignPage ? ForeignPage(isListed: false) : nil }
        let referer = fields.referer.flatMap { Self.origin(ofURL: $0) }
        if fields.hasFetchSite { return fields.isFromForeignPage ? page(referer) : nil }
        guard let referer, isForeign(referer, fields, entrance) else { return nil }
        return page(referer)
    }

    private func page(_ origin: String?) -> ForeignPage {
        ForeignPage(origin: origin, isListed: origin.map { origins.contains($0) } ?? false)
    }

    private func isForeign(_ origin: String, _ fields: HTTPRequestFields, _ entrance: Entrance) -> Bool {
        guard let scheme = origin.firstIndex(of: ":"), origin[scheme...].hasPrefix("://"),
            let page = HTTPAuthority(origin[scheme...].dropFirst(3))
        else { return true }
        let defaultPort = origin[..<scheme].lowercased() == "https" ? 443 : 80
        let port = page.port ?? defaultPort
        if let host = fields.host.flatMap({ HTTPAuthority($0) }), host.host == page.host,
            (host.port ?? defaultPort) == port
        {
            return false
        }
        return !(isOurs(page, entrance) && port == entrance.port)
    }

    /// `scheme://host:port` of an absolute URL; nil for anything else.
    private static func origin(ofURL url: String) -> String? {
        guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return nil }
        let rest = url[colon...].dropFirst(3).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return rest.isEmpty || rest.contains("@") ? nil : url[..<colon] + "://" + rest
    }
}
