/// What a request asks for, in the one form that all routes see, however the client wrote it.
///
/// Absolute-form is taken, and its authority stands in for Host (RFC 9112, 3.2.2). Of the path, segments that are empty
/// or dots go, so that `//v1/./events/` is `/v1/events`, and percent-encoded letters, digits and `-._~` are written
/// plainly (RFC 3986, 6.2.2). `%2F` belongs to its segment and stays.
struct HTTPRequestTarget: Equatable {
    /// Path and query; `*` of `OPTIONS *`.
    let uri: String
    /// Of absolute-form.
    let authority: String?

    /// Nil for what is none of the two forms, or holds a percent sign without two hexadecimal digits in its path.
    init?(_ text: String) {
        if text.utf8.first == UInt8(ascii: "/") {
            guard let uri = Self.isNormal(text[...].utf8) ? text : Self.normalized(text[...]) else {
                return nil
            }
            self.uri = uri
            authority = nil
            return
        }
        if text == "*" {
            uri = text
            authority = nil
            return
        }
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://"),
            ["http", "https"].contains(text[..<colon].lowercased())
        else { return nil }
        let rest = text[colon...].dropFirst(3)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard end > rest.startIndex, !rest[..<end].contains("@") else { return nil }
        let path = rest[end...]
        guard let uri = Self.normalized(path.hasPrefix("/") ? path : "/" + path) else { return nil }
        self.uri = uri
        authority = String(rest[..<end])
    }

    /// The path, without the query.
    var path: Substring { uri.prefix { $0 != "?" } }

    /// `text` begins with a slash.
    private static func normalized(_ text: Substring) -> String? {
        let end = text.firstIndex(of: "?") ?? text.endIndex
        var segments: [[UInt8]] = []
        for part in text[..<end].utf8.split(separator: UInt8(ascii: "/")) {
            guard let segment = plain(part) else { return nil }
            if segment == [0x2E, 0x2E] {
                _ = segments.popLast()
            } else if segment != [0x2E] {
                segments.append(segment)
            }
        }
        let path = segments.reduce(into: [UInt8]()) { $0 += [UInt8(ascii: "/")] + $1 }
        return (path.isEmpty ? "/" : String(decoding: path, as: UTF8.self)) + text[end...]
    }

    /// True for nearly every path: nothing in it could be written in another way.
    private static func isNormal(_ text: Substring.UTF8View) -> Bool {
        var previous: UInt8 = 0
        var count = 0
        for byte in text {
            if byte == UInt8(ascii: "?") { break }
            let startsSegment = previous == UInt8(ascii: "/")
            if byte == UInt8(ascii: "%") || startsSegment && (byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".")) {
                return false
            }
            previous = byte
            count += 1
        }
        return count == 1 || previous != UInt8(ascii: "/")
    }

    private static func plain(_ segment: Substring.UTF8View) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = segment
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, let text = String(digits),
                let value = text.allSatisfy(\.isHexDigit) ? UInt8(text, radix: 16) : nil
            else { return nil }
            rest = rest.dropFirst(2)
            if isUnreserved(value) {
                bytes.append(value)
            } else {
                bytes += [byte] + Array(text.uppercased().utf8)
            }
        }
        return bytes
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
