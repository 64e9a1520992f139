internal import CPage
internal import Crypto
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// A file of the page: what it is, as it is sent.
struct PageFile: Sendable {
    let type: String
    let plain: ByteBuffer
    /// Nil where compressing gains nothing.
    let gzip: ByteBuffer?
    /// Of the content, in hexadecimal digits, without quotes.
    private let hash: String

    static let index = "index.html"

    /// By name. Compressed once, when the first of them is asked for: some 20 ms.
    static let all: [String: PageFile] = (0..<mr_page_file_count).reduce(into: [:]) { files, place in
        let file = mr_page_file_at(place)
        let bytes = Array(UnsafeBufferPointer(start: file.bytes, count: file.length))
        files[String(cString: file.name)] = PageFile(type: String(cString: file.type), bytes: bytes)
    }

    init(type: String, bytes: [UInt8]) {
        self.type = type
        plain = ByteBuffer(bytes: bytes)
        gzip = Gzip.compressed(bytes).flatMap { $0.count < bytes.count ? ByteBuffer(bytes: $0) : nil }
        hash = SHA256.hash(data: bytes).prefix(12).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// Everything comes from this daemon; nothing is inline, and no other site frames the page.
    static let policy = """
        default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
        form-action 'self'; base-uri 'none'; frame-ancestors 'none'
        """

    /// Of every answer that is the page's.
    static let headers: HTTPFields = {
        var headers = HTTPFields()
        for (name, value) in [
            ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"),
            // The browser then says with each change which page asks, and tells no other site.
            ("Referrer-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ] {
            if let name = HTTPField.Name(name) { headers[name] = value }
        }
        return headers
    }()

    /// 304 where the client has it. Kept by browsers, and asked for again each time, so that a newer daemon's is seen.
    func response(to headers: HTTPFields) -> Response {
        let packed = Self.takesGzip(headers[.acceptEncoding]) ? gzip : nil
        let tag = "\"\(hash)\(packed == nil ? "" : "-gzip")\""
        var answer = Self.headers
        answer[.eTag] = tag
        answer[.cacheControl] = "no-cache"
        answer[.vary] = "Accept-Encoding"
        if Self.names(headers[.ifNoneMatch], tag) { return Response(status: .notModified, headers: answer) }
        answer[.contentType] = type
        if packed != nil { answer[.contentEncoding] = "gzip" }
        return Response(status: .ok, headers: answer, body: .init(byteBuffer: packed ?? plain))
    }

    /// Whether `Accept-Encoding` names gzip, or all, and does not refuse it by `q=0`.
    static func takesGzip(_ accepted: String?) -> Bool {
        var best: Bool?
        for part in (accepted ?? "").split(separator: ",") {
            let pieces = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let name = pieces.first, name == "gzip" || name == "*" else { continue }
            let quality = pieces.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            if name == "gzip" { return quality > 0 }
            best = quality > 0
        }
        return best ?? false
    }

    private static func names(_ wanted: String?, _ tag: String) -> Bool {
        (wanted ?? "").split(separator: ",").contains { part in
            var part = part.filter { $0 != " " }
            if part.hasPrefix("W/") { part.removeFirst(2) }
            return part == "*" || part == tag
        }
    }
}
