import MillraceTestSupport

/// A small HTTP/1.1 client that says exactly what it is told to, on one connection that is kept.
final class HTTPClient {
    private let endpoint: Endpoint
    private var socket: StreamSocket?

    init(_ endpoint: Endpoint) {
        self.endpoint = endpoint
    }

    /// One request on a connection of its own.
    static func get(_ path: String, at endpoint: Endpoint, within limit: Duration = .seconds(30)) throws -> HTTPResponse
    {
        try HTTPClient(endpoint).request("GET", path, within: limit)
    }

    /// `isChunked`: the body goes in chunks of at most `chunkBytes` instead of with a length.
    func request(
        _ method: String, _ path: String, headers: [(String, String)] = [], body: [UInt8]? = nil,
        isChunked: Bool = false, chunkBytes: Int = 1000, within limit: Duration = .seconds(60)
    ) throws -> HTTPResponse {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if let body { head += isChunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: \(body.count)\r\n" }
        var bytes = Array((head + "\r\n").utf8)
        if let body { bytes += isChunked ? Self.chunked(body, chunkBytes) : body }
        return try exchange(bytes, within: limit)
    }

    func postEvents(
        _ body: [UInt8], type: String = "application/x-ndjson", encoding: String? = nil, query: String = "",
        isChunked: Bool = false, within limit: Duration = .seconds(120)
    ) throws -> HTTPResponse {
        var headers = [("Content-Type", type)]
        if let encoding { headers.append(("Content-Encoding", encoding)) }
        return try request(
            "POST", "/v1/events" + query, headers: headers, body: body, isChunked: isChunked, chunkBytes: 10_000,
            within: limit)
    }

    /// Sends `bytes` as they are and reads one answer.
    func exchange(_ bytes: [UInt8], within limit: Duration = .seconds(60)) throws -> HTTPResponse {
        let isKept = socket != nil
        let current = try socket ?? StreamSocket(endpoint)
        socket = nil
        var failure: (any Error)?
        // A server that refuses may close before it has read all: the answer is there nevertheless.
        do { try current.send(bytes, within: limit) } catch { failure = error }
        guard let response = try read(current, within: limit) else {
            throw failure ?? TestSupportError(message: "closed without an answer\(isKept ? " (kept connection)" : "")")
        }
        if response.headers["connection"]?.lowercased() != "close" { socket = current }
        return response
    }

    private func read(_ socket: StreamSocket, within limit: Duration) throws -> HTTPResponse? {
        guard let first = try Self.line(socket, limit) else { return nil }
        let words = first.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw TestSupportError(message: "no HTTP answer: \(first.prefix(80))")
        }
        var headers: [String: String] = [:]
        while let line = try Self.line(socket, limit), !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { continue }
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        var body: [UInt8] = []
        if headers["transfer-encoding"]?.lowercased() == "chunked" {
            while let size = try Self.line(socket, limit).flatMap({ Int($0, radix: 16) }) {
                if size > 0 { body += try socket.bytes(size, within: limit) }
                _ = try Self.line(socket, limit)
                if size == 0 { break }
            }
        } else if let count = headers["content-length"].flatMap({ Int($0) }) {
            body = try socket.bytes(count, within: limit)
        }
        return HTTPResponse(status: status, headers: headers, body: body)
    }

    private static func line(_ socket: StreamSocket, _ limit: Duration) throws -> String? {
        guard let line = try socket.line(within: limit) else { return nil }
        return line.hasSuffix("\r") ? String(line.dropLast()) : line
    }

    private static func chunked(_ body: [UInt8], _ chunkBytes: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: chunkBytes) {
            let chunk = body[start..<min(start + chunkBytes, body.count)]
            bytes += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + Array("\r\n".utf8)
        }
        return bytes + Array("0\r\n\r\n".utf8)
    }
}
