import Foundation
import Glibc
import MillraceTestSupport

/// Reads one stream of server-sent events of a daemon.
final class StreamClient {
    struct Message: Equatable {
        var name = "message"
        var id: String?
        var data: String

        /// The data's members.
        var object: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(data.utf8))) as? [String: Any] ?? [:]
        }
    }

    let socket: StreamSocket
    private(set) var status = 0
    /// Names in lower case.
    private(set) var headers: [String: String] = [:]
    /// Comments so far.
    private(set) var heartbeats = 0
    /// The last one that the stream said.
    private(set) var lastID: String?
    /// The stream came to its end.
    private(set) var isEnded = false
    private var body = ""

    /// `receiveBytes`: of the socket; nil: what the system gives.
    init(
        _ path: String, at endpoint: Endpoint, key: String? = nil, lastID: String? = nil, receiveBytes: Int32? = nil
    ) throws {
        socket = try StreamSocket(endpoint)
        if var bytes = receiveBytes {
            setsockopt(socket.descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var head = "GET \(path) HTTP/1.1\r\nHost: localhost\r\n"
        if let key { head += "Authorization: Bearer \(key)\r\n" }
        if let lastID { head += "Last-Event-ID: \(lastID)\r\n" }
        try socket.send(Array((head + "\r\n").utf8))
        let first = try line()
        status = first.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        while case let field = try line(), !field.isEmpty {
            let parts = field.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
    }

    private func line(within limit: Duration = .seconds(60)) throws -> String {
        guard let line = try socket.line(within: limit) else { throw TestSupportError(message: "the stream was cut") }
        return line.hasSuffix("\r") ? String(line.dropLast()) : line
    }

    /// The next message, or nil at the end of the stream. A comment is counted; `afterHeartbeat`: nil comes after one too.
    func next(within limit: Duration = .seconds(60), afterHeartbeat: Bool = false) throws -> Message? {
        while true {
            while let end = body.firstRange(of: "\n\n") {
                let block = body[..<end.lowerBound]
                body = String(body[end.upperBound...])
                if let message = take(block) { return message }
                if afterHeartbeat, block.hasPrefix(":") { return nil }
            }
            guard !isEnded else { return nil }
            try readChunk(limit)
        }
    }

    private func take(_ block: Substring) -> Message? {
        if block.hasPrefix(":") { heartbeats += 1 }
        var message = Message(data: "")
        var hasData = false
        for line in block.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
            switch parts[0] {
            case "event": message.name = value
            case "id": (message.id, lastID) = (value, value)
            case "data": (message.data, hasData) = (value, true)
            default: break
            }
        }
        return hasData ? message : nil
    }

    private func readChunk(_ limit: Duration) throws {
        guard let size = Int(try line(within: limit), radix: 16) else {
            throw TestSupportError(message: "no chunk where one should be")
        }
        body += String(decoding: try socket.bytes(size, within: limit), as: UTF8.self)
        _ = try line(within: limit)
        if size == 0 { isEnded = true }
    }

    /// The next event; fails where something else comes.
    func event(within limit: Duration = .seconds(60)) throws -> Message {
        guard let message = try next(within: limit), message.name == "message" else {
            throw TestSupportError(message: "an event was wanted")
        }
        return message
    }

    /// The next ticks until one is as wanted.
    func tick(within limit: Duration = .seconds(60), where isWanted: ([String: Any]) -> Bool = { _ in true }) throws
        -> [String: Any]
    {
        let end = ContinuousClock.now + limit
        while let message = try next(within: limit) {
            let object = message.object
            if message.name == "tick", isWanted(object) { return object }
            guard ContinuousClock.now < end else { break }
        }
        throw TestSupportError(message: "no such tick")
    }
}

extension [String: Any] {
    /// A member of a member.
    func value<Member>(_ path: String..., as type: Member.Type = Member.self) -> Member? {
        var found: Any? = self
        for name in path { found = (found as? [String: Any])?[name] }
        return found as? Member
    }
}
