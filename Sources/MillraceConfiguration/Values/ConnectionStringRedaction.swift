/// A libpq connection string, as URI or as keywords, without its passwords. Where it is malformed, rather too much goes.
package enum ConnectionStringRedaction {
    package static func redact(_ text: String) -> String {
        guard let scheme = text.range(of: "://") else { return redactKeywords(text) }
        let rest = text[scheme.upperBound...]
        let query = rest.firstIndex(of: "?")
        let path = rest.firstIndex(of: "/") ?? query ?? rest.endIndex
        // A password's unescaped slash or question mark is an error to libpq, and still not to be shown.
        let at =
            rest[..<path].lastIndex(of: "@") ?? rest[..<(query ?? rest.endIndex)].lastIndex(of: "@")
            ?? (rest.contains("=") ? nil : rest.lastIndex(of: "@"))
        var redacted = String(text[..<scheme.upperBound])
        var tail = rest
        if let at {
            let user = rest[..<at].prefix { $0 != ":" }
            redacted += user.endIndex == at ? user : user + ":***"
            tail = rest[at...]
        }
        guard let question = tail.firstIndex(of: "?") else { return redacted + tail }
        let parameters = tail[tail.index(after: question)...].split(separator: "&", omittingEmptySubsequences: false)
        return redacted + tail[...question] + parameters.map(redactParameter).joined(separator: "&")
    }

    private static func redactParameter(_ parameter: Substring) -> String {
        let name = parameter.prefix { $0 != "=" }
        return name.lowercased().hasSuffix("password") ? "\(name)=***" : String(parameter)
    }

    /// `host=db password='a b' user=x`: the value of each keyword that ends in "password".
    private static func redactKeywords(_ text: String) -> String {
        var redacted = ""
        var rest = Substring(text)
        while let match = rest.range(of: "password") {
            redacted += rest[..<match.upperBound]
            rest = rest[match.upperBound...]
            let blanks = rest.prefix { $0 == " " }
            guard rest[blanks.endIndex...].first == "=" else { continue }
            redacted += "=***"
            rest = rest[rest.index(after: blanks.endIndex)...].drop { $0 == " " }
            rest = rest.first == "'" ? afterQuoted(rest) : rest.drop { $0 != " " }
        }
        return redacted + rest
    }

    private static func afterQuoted(_ text: Substring) -> Substring {
        var rest = text.dropFirst()
        while let character = rest.popFirst() {
            if character == "\\" { _ = rest.popFirst() }
            if character == "'" { break }
        }
        return rest
    }
}

extension StringProtocol {
    /// The first occurrence of `needle`, without Foundation.
    fileprivate func range(of needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            let end = index(start, offsetBy: needle.count, limitedBy: endIndex)
            guard let end else { return nil }
            if self[start..<end] == needle { return start..<end }
            start = index(after: start)
        }
        return nil
    }
}
