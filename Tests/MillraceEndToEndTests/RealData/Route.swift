import MillraceTestSupport

/// A way in.
enum Route: CaseIterable, Sendable, CustomStringConvertible {
    case tcp
    case httpArray
    case httpLines(Compression?)

    static let allCases: [Route] = [
        .tcp, .httpArray, .httpLines(nil), .httpLines(.gzip), .httpLines(.deflate), .httpLines(.zstd),
    ]

    var description: String {
        switch self {
        case .tcp: "TCP"
        case .httpArray: "HTTP, one array, in chunks"
        case .httpLines(let compression): "HTTP, NDJSON, \(compression?.rawValue ?? "plain")"
        }
    }

    /// Sends lines, waits until they are committed, and returns how many were there already; nil when the answer does
    /// not say.
    func send(_ lines: [UInt8], count: Int, to daemon: DaemonProcess) throws -> Int? {
        switch self {
        case .tcp:
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(lines, within: .seconds(180))
            try client.waitForAck(count, within: .seconds(180))
            guard client.refusals.isEmpty else { throw UnexpectedAnswer(text: "\(client.refusals)") }
            return nil
        case .httpArray:
            var body = lines.map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: ",") : $0 }
            body[body.count - 1] = UInt8(ascii: "]")
            return try post([UInt8(ascii: "[")] + body, "application/json", nil, count: count, to: daemon)
        case .httpLines(let compression):
            return try post(
                compression?.compress(lines) ?? lines, "application/x-ndjson", compression?.header, count: count,
                to: daemon)
        }
    }

    private func post(
        _ body: [UInt8], _ type: String, _ encoding: String?, count: Int, to daemon: DaemonProcess
    ) throws -> Int? {
        let response = try HTTPClient(daemon.http).postEvents(
            body, type: type, encoding: encoding, query: "?ack=committed", isChunked: encoding == nil,
            within: .seconds(180))
        let answer = try response.json
        guard response.status == 200, answer.accepted == count, answer.rejected?.isEmpty == true else {
            throw UnexpectedAnswer(text: "\(response.status) \(response.text.prefix(1000))")
        }
        return answer.duplicates
    }
}
