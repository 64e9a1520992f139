/// Tells what a browser or an HTTP client begins with from a line of the TCP intake: a page of a foreign site can make
/// a browser send a form here, whose body would else be taken for lines.
enum HTTPRequestLine {
    /// `POST / HTTP/1.1`, `GET /x`, `PRI * HTTP/2.0`; no event and no greeting begins like that.
    static func isOne(_ line: UnsafeRawBufferPointer) -> Bool {
        let method = line.prefix { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "-") }
        guard (3...32).contains(method.count), line.dropFirst(method.count).first == 0x20 else { return false }
        let rest = line.dropFirst(method.count + 1)
        if rest.first == UInt8(ascii: "/") || rest.starts(with: "http".utf8) { return true }
        return rest.drop { $0 != 0x20 }.dropFirst().starts(with: "HTTP/".utf8)
    }
}
