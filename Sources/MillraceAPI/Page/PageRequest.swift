internal import HTTPTypes
internal import Hummingbird

/// Whether a page of the daemon's own asks, as its browser tells: only then a cookie counts.
///
/// | | a page of the daemon's own | another site's page | no page |
/// | --- | --- | --- | --- |
/// | `Millrace-Page` | its script sets it | a browser asks first (CORS), and is refused | may be anything |
/// | `Sec-Fetch-Site` | `same-origin`, over TLS and on this machine | something else | none |
/// | `Origin` | with what changes something: its own | its own, or `null` | none |
struct PageRequest: Sendable, Equatable {
    static let markName = HTTPField.Name("Millrace-Page")
    private static let siteName = HTTPField.Name("Sec-Fetch-Site")

    /// It has the field `Millrace-Page`.
    var isMarked: Bool
    /// `Sec-Fetch-Site`.
    var site: String?
    /// `Origin`.
    var origin: String?
    /// Of `Host`.
    var host: String?

    init(isMarked: Bool, site: String?, origin: String?, host: String?) {
        self.isMarked = isMarked
        self.site = site
        self.origin = origin
        self.host = host
    }

    init(_ request: Request) {
        let headers = request.headers
        self.init(
            isMarked: Self.markName.map { headers[$0] != nil } ?? false, site: Self.siteName.flatMap { headers[$0] },
            origin: headers[.origin], host: request.head.authority)
    }

    /// It may be answered by what a cookie opens.
    var mayRead: Bool {
        guard isMarked else { return false }
        if let site { return site == "same-origin" }
        return origin == nil || isOriginOwn
    }

    /// It may also change something: the browser has said for sure which page asks.
    var mayChange: Bool { mayRead && (site != nil || origin != nil) }

    /// The page came over TLS, as its browser says.
    var isOverTLS: Bool { origin?.lowercased().hasPrefix("https://") ?? false }

    private var isOriginOwn: Bool {
        guard let origin = origin?.lowercased(), let host = host?.lowercased(), !host.isEmpty else { return false }
        return origin == "http://" + host || origin == "https://" + host
    }
}
