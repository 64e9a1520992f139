import FoundationEssentials
import Glibc
import MillraceTestSupport

/// A client of the TCP intake.
final class TCPClient {
    struct Refusal: Equatable {
        var code: String
        var message: String
    }

    /// Any line that the server writes.
    private struct Message: Decodable {
        struct Hello: Decodable {
            var server: String
            var version: String
        }
        struct Problem: Decodable {
            var code: String
            var message: String
        }
        struct Report: Decodable {
            var pack: String?
            var fold: String?
            var constraint: String?
            var sqlstate: String?
        }
        struct Stretch: Decodable {
            var first: Int
            var last: Int
        }
        private enum CodingKeys: String, CodingKey {
            case hello, line, error, ack, parked, lines, limited
            case deadLetter = "dead_letter"
            case parkedTotal = "parked_total"
        }
        var parked: Report?
        var deadLetter: Report?
        var lines: Stretch?
        var parkedTotal: Int?
        var limited: Problem?
        var hello: Hello?
        var line: Int?
        var error: Problem?
        var ack: Int?
    }

    let socket: StreamSocket
    /// The first so many lines are settled.
    private(set) var acked = 0
    /// By number of line, from 1.
    private(set) var refusals: [Int: Refusal] = [:]
    /// What it said of accepted lines, each before the ack of its line: `parked` or `dead`, pack and fold, constraint, SQLSTATE.
    private(set) var reports: [String] = []
    /// Stretches of lines of which not each is named: first, last, how many are parked.
    private(set) var totals: [[Int]] = []
    /// What the server said about the connection as a whole.
    private(set) var problem: Refusal?
    private(set) var serverVersion: String?
    /// How often the server said that the rate holds the connection back.
    private(set) var limitedCount = 0

    /// `acks`: nil for a one-way connection. `key`: in its greeting.
    init(_ endpoint: Endpoint, acks: String?, key: String? = nil) throws {
        socket = try StreamSocket(endpoint)
        guard let acks else { return }
        let shown = key.map { ",\"key\":\"\($0)\"" } ?? ""
        try socket.send(Array("{\"hello\":{\"acks\":\"\(acks)\"\(shown)}}\n".utf8))
        while serverVersion == nil {
            guard try takeMessage(within: .seconds(60)) else {
                throw TestSupportError(message: "the server closed without a hello: \(String(describing: problem))")
            }
        }
    }

    func send(_ line: String) throws {
        try socket.send(Array(line.utf8) + [UInt8(ascii: "\n")])
    }

    /// Whole lines, each ended by `\n`.
    func send(_ bytes: [UInt8], within limit: Duration = .seconds(60)) throws {
        try socket.send(bytes, within: limit)
    }

    /// Takes what the server has said, without waiting.
    func takeMessages() throws {
        socket.receive()
        while socket.hasLine, try takeMessage(within: .seconds(1)) {}
    }

    /// Waits until the first `count` lines are settled; throws when the server closes first.
    func waitForAck(_ count: Int, within limit: Duration = .seconds(60)) throws {
        let end = ContinuousClock.now + limit
        while acked < count {
            guard try takeMessage(within: end - ContinuousClock.now) else {
                throw TestSupportError(
                    message: "the server closed at ack \(acked) of \(count): \(String(describing: problem))")
            }
        }
    }

    /// Takes everything up to the server's end; false where that did not come in time.
    func waitForEnd(within limit: Duration) -> Bool {
        do {
            while try takeMessage(within: limit) {}
            return true
        } catch {
            return false
        }
    }

    /// Half-closes and takes everything up to the server's end.
    func finish(within limit: Duration = .seconds(60)) throws {
        socket.finishSending()
        while try takeMessage(within: limit) {}
    }

    /// Takes one line of the server; false at the end of the stream.
    private func takeMessage(within limit: Duration) throws -> Bool {
        guard let line = try socket.line(within: limit) else { return false }
        let message = try JSONDecoder().decode(Message.self, from: Data(line.utf8))
        if let hello = message.hello { serverVersion = hello.version }
        if message.limited != nil { limitedCount += 1 }
        if let ack = message.ack {
            guard ack > acked else { throw TestSupportError(message: "ack \(ack) came after \(acked)") }
            acked = ack
        }
        if let report = message.parked ?? message.deadLetter, let number = message.line {
            guard number > acked else { throw TestSupportError(message: "line \(number) is reported after its ack") }
            let fold = report.pack.map { "\($0).\(report.fold ?? "")" }
            reports.append(
                ([String(number), message.parked == nil ? "dead" : "parked"]
                    + [fold, report.constraint, report.sqlstate].compactMap(\.self)).joined(separator: " "))
        }
        if let lines = message.lines { totals.append([lines.first, lines.last, message.parkedTotal ?? -1]) }
        if let error = message.error {
            let refusal = Refusal(code: error.code, message: error.message)
            if let number = message.line { refusals[number] = refusal } else { problem = refusal }
        }
        return true
    }
}
