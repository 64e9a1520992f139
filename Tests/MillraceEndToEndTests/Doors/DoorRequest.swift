/// A request as its bytes, for clients that say what no good client says.
struct DoorRequest {
    var method = "GET"
    var target: String
    var version = "HTTP/1.1"
    var host: String? = "localhost"
    var headers: [String] = []
    var body: String?

    static let event = #"{"event_type":"door"}"#

    /// `POST /v1/events` of one event.
    static func event(host: String? = "localhost", _ headers: [String]) -> DoorRequest {
        DoorRequest(method: "POST", target: "/v1/events", host: host, headers: headers, body: event)
    }

    var bytes: [UInt8] {
        var lines = ["\(method) \(target) \(version)"]
        if let host { lines.append("Host: \(host)") }
        lines += headers
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")).utf8)
    }

    /// The answer, on a connection of its own.
    func send(to endpoint: Endpoint) throws -> HTTPResponse { try HTTPClient(endpoint).exchange(bytes) }
}
