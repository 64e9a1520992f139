internal import Glibc

/// One request without a body over a socket: enough for the daemon's own short answers.
package enum HTTPProbe {
    package struct Answer: Equatable {
        package var status: Int
        package var body: String

        package init(status: Int, body: String) {
            self.status = status
            self.body = body
        }
    }

    /// Blocks up to `timeout`, and again as long to connect. Throws when nobody answers. `bytesMax`: an answer is cut
    /// off there.
    package static func get(
        _ path: String, from destination: Destination, timeout: Duration, bytesMax: Int = 1 << 20
    ) throws(CommandError) -> Answer {
        try exchange("GET \(path) HTTP/1.1\r\n", destination, timeout: timeout, bytesMax: bytesMax)
    }

    /// Likewise.
    package static func post(
        _ path: String, to destination: Destination, timeout: Duration, bytesMax: Int = 1 << 20
    ) throws(CommandError) -> Answer {
        try exchange(
            "POST \(path) HTTP/1.1\r\nContent-Length: 0\r\n", destination, timeout: timeout, bytesMax: bytesMax)
    }

    private static func exchange(
        _ head: String, _ destination: Destination, timeout: Duration, bytesMax: Int
    ) throws(CommandError) -> Answer {
        let socket = try ClientSocket(connectingTo: destination, timeout: timeout)
        let request = Array(
            (head + "Host: localhost\r\n\(destination.authorization)Connection: close\r\n\r\n").utf8)
        // A request this short fits into any socket's buffer.
        _ = try request.withUnsafeBytes { socket.write($0) }.get()
        let deadline = ContinuousClock.now + timeout
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while bytes.count < bytesMax {
            var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, (deadline - .now).milliseconds) > 0 else { break }
            let result = try chunk.withUnsafeMutableBytes { socket.read(into: $0) }.get()
            if case .bytes(let count) = result { bytes += chunk[..<count] }
            if result == .ended { break }
        }
        guard let answer = parse(bytes) else {
            throw CommandError(
                "\(destination) gave no HTTP answer in time", hint: "See http.listen and the daemon's log")
        }
        return answer
    }

    /// nil unless it begins with a status line.
    static func parse(_ bytes: [UInt8]) -> Answer? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let match = text.prefixMatch(of: #/HTTP/1\.[01] ([0-9]{3})[^\r\n]*\r\n/#),
            let status = Int(match.output.1)
        else { return nil }
        let body = text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
        return Answer(status: status, body: body)
    }
}
