internal import NIOHTTP1

/// The header fields that the intake looks at, taken in one pass: each look by name would walk over all of them.
struct HTTPRequestFields {
    private(set) var hosts = 0
    private(set) var contentLengths: [String] = []
    private(set) var transferEncodings: [String] = []
    private(set) var contentEncodings: [String] = []
    private(set) var contentType: String?
    private(set) var expect: String?
    /// The first one.
    private(set) var host: String?
    private(set) var origin: String?
    private(set) var referer: String?
    /// All fields of that name.
    private(set) var authorizations: [String] = []
    private(set) var hasUpgrade = false
    private var connections: [String] = []
    private var fetchSite: String?
    private var fetchMode: String?

    /// `authority`: of a target in absolute-form, which stands in for Host.
    init(_ headers: HTTPHeaders, authority: String? = nil) {
        for (name, value) in headers {
            // The length leaves one candidate.
            switch name.utf8.count {
            case 4 where Self.isEqual(name, "host"):
                hosts += 1
                host = host ?? value
            case 6 where Self.isEqual(name, "expect"): expect = expect ?? value
            case 6 where Self.isEqual(name, "origin"): origin = origin ?? value
            case 7 where Self.isEqual(name, "upgrade"): hasUpgrade = true
            case 7 where Self.isEqual(name, "referer"): referer = referer ?? value
            case 10 where Self.isEqual(name, "connection"): connections.append(value)
            case 12 where Self.isEqual(name, "content-type"): contentType = contentType ?? value
            case 13 where Self.isEqual(name, "authorization"): authorizations.append(value)
            case 14 where Self.isEqual(name, "content-length"): contentLengths.append(value)
            case 14 where Self.isEqual(name, "sec-fetch-site"): fetchSite = value
            case 14 where Self.isEqual(name, "sec-fetch-mode"): fetchMode = value
            case 16 where Self.isEqual(name, "content-encoding"): contentEncodings.append(value)
            case 17 where Self.isEqual(name, "transfer-encoding"): transferEncodings.append(value)
            default: continue
            }
        }
        if let authority { host = authority }
    }

    /// In lower case, without parameters; empty where there is none.
    var plainContentType: String {
        (contentType ?? "").prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
    }

    /// A browser says which kind of page asked.
    var hasFetchSite: Bool { fetchSite != nil }

    /// A browser says that a page of another origin asked.
    var isFromForeignPage: Bool { fetchSite == "cross-site" || fetchSite == "same-site" }

    /// The same, and not by a link.
    var isFetchedByForeignPage: Bool { isFromForeignPage && fetchMode != "navigate" }

    /// What the decoder makes of an offer to speak another protocol after this request.
    var upgrade: HTTPUpgradeOffer {
        guard hasUpgrade, !connections.isEmpty else { return .none }
        let values = connections.map { $0.lowercased() }
        guard values.contains(where: { $0.contains("upgrade") }) else { return .none }
        for value in values {
            for token in value.split(separator: ",") {
                var token = token.drop { $0 == " " }
                while token.last == " " { token.removeLast() }
                if token == "upgrade" { return .made }
            }
        }
        return .unclear
    }

    /// Compares a field's name, a token of ASCII, with one in lower case of the same length.
    private static func isEqual(_ name: String, _ lowercased: StaticString) -> Bool {
        var position = 0
        for byte in name.utf8 {
            let wanted = lowercased.utf8Start[position]
            // Bit 5 tells the cases of a letter apart; '-' has it anyway.
            guard byte | 0x20 == wanted else { return false }
            position += 1
        }
        return true
    }
}

/// Whether a request offers to go on in another protocol. Millrace takes no offer (RFC 9110, 7.8), but the decoder stops
/// after a request that makes one.
enum HTTPUpgradeOffer {
    case none
    /// `Upgrade` with `Connection: upgrade`: the decoder stops.
    case made
    /// The decoder may or may not take it for an offer: the connection ends with the answer.
    case unclear
}
