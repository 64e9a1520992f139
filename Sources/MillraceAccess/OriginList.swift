/// Origins of pages: whole ones such as `https://app.example.com`, and `https://*.example.com` for all names under a domain.
package struct OriginList: Sendable, Equatable {
    private struct Names: Sendable, Equatable {
        /// With `://`.
        var scheme: String
        /// From the dot on, with the port.
        var end: String
    }

    private var whole: Set<String> = []
    private var names: [Names] = []

    /// Texts that are none of the two are left out.
    package init(_ texts: [String] = []) {
        for text in texts {
            guard let text = Self.normalized(text) else { continue }
            if let star = text.firstIndex(of: "*") {
                names.append(Names(scheme: String(text[..<star]), end: String(text[star...].dropFirst())))
            } else {
                whole.insert(text)
            }
        }
    }

    package var isEmpty: Bool { whole.isEmpty && names.isEmpty }

    /// `origin`: as browsers write it.
    package func contains(_ origin: String) -> Bool {
        guard !whole.contains(origin) else { return true }
        return names.contains { names in
            guard origin.hasPrefix(names.scheme), origin.hasSuffix(names.end) else { return false }
            let rest = origin.utf8.dropFirst(names.scheme.utf8.count).dropLast(names.end.utf8.count)
            return !rest.isEmpty && rest.allSatisfy(Self.isOfName)
        }
    }

    /// The text as browsers write origins: in lower case, without the port that is the scheme's own. Nil for what is neither
    /// an origin of `http` or `https` nor one with `*.` before a domain of at least two names: `*` alone would let in every
    /// page there is, and `*.com` nearly as many.
    package static func normalized(_ text: String) -> String? {
        let text = text.lowercased()
        guard let scheme = ["https://", "http://"].first(where: { text.hasPrefix($0) }) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let host = rest.prefix { $0 != ":" }
        let port = rest.dropFirst(host.count)
        if !port.isEmpty {
            guard let number = UInt16(port.dropFirst()), port.dropFirst() == "\(number)", number > 0 else { return nil }
        }
        let isWild = host.hasPrefix("*.")
        let name = isWild ? host.dropFirst(2) : host
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        guard labels.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isOfName) }), !name.isEmpty else { return nil }
        if isWild, labels.count < 2 || labels.last?.allSatisfy(\.isNumber) == true { return nil }
        let isOwnPort = port == (scheme == "https://" ? ":443" : ":80")
        return scheme + host + (isOwnPort ? "" : port)
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
