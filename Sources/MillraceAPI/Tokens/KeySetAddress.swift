internal import FoundationEssentials
internal import MillraceRoutes

/// Where a key set may be fetched: by https, or by http from this machine alone.
package enum KeySetAddress {
    /// What is wrong with `text`; nil when nothing is. Says nothing of the text itself.
    package static func flaw(of text: String) -> String? {
        guard let url = URL(string: text), let host = url.host(), !host.isEmpty else {
            return "it is no URL; wanted: https://host/path"
        }
        guard url.user() == nil, url.password() == nil else { return "it holds a user or a password; it needs none" }
        switch url.scheme?.lowercased() {
        case "https": return nil
        case "http":
            return Loopback.hasName(host.lowercased().trimmingPrefix("[").prefix { $0 != "]" })
                ? nil : "http is for loopback only; wanted: https://host/path"
        default: return "its scheme is neither https nor http"
        }
    }

    /// Where `location` leads from `base`; nil where it may not: nowhere, out of https, or to http of another machine.
    package static func redirect(from base: String, to location: String) -> String? {
        guard let from = URL(string: base), let url = URL(string: location, relativeTo: from)?.absoluteURL,
            flaw(of: url.absoluteString) == nil
        else { return nil }
        let leavesTLS = from.scheme?.lowercased() == "https" && url.scheme?.lowercased() != "https"
        return leavesTLS ? nil : url.absoluteString
    }
}
