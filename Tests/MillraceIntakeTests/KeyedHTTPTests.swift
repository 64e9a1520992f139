@testable import MillraceIntake
import FoundationEssentials
import MillraceAccess
import MillraceChannels
import MillraceEvent
import MillraceTelemetry
import Testing

/// `POST /v1/events` where keys are wanted, step by step.
@Suite(.timeLimit(.minutes(10)))
struct KeyedHTTPTests {
    private let keys = TestKeys()

    private func connection(_ change: (inout AccessLimits) -> Void = { _ in }) async throws -> HTTPTranscript {
        let access = keys.access(change)
        return try await HTTPTranscript { $0.access = access }
    }

    private static func post(_ fields: [String], body: String = good) -> String {
        request("POST", "/v1/events", fields, body: body)
    }

    @Test func `a key lets its events in, as its tenant's`() async throws {
        let key = keys.put()
        let connection = try await connection()
        let basic = Data("\(key):".utf8).base64EncodedString()
        for field in ["Authorization: Bearer \(key)", "authorization: basic \(basic)"] {
            try await connection.receive(Self.post([field]))
            let submission = await connection.submission()
            #expect(submission.records.map(\.tenant) == [7] && submission.lane > 0)
            submission.reply(.durable(0..<1))
            await connection.run()
            #expect(connection.statuses() == [202])
        }
    }

    @Test func `none, a wrong and a revoked key get the same answer, at the same time`() async throws {
        let revoked = keys.put()
        let key = keys.put()
        let last = key.last == "0" ? "1" : "0"
        let wrong = [
            [], ["Authorization: Bearer \(key.dropLast())\(last)"], ["Authorization: Bearer \(revoked)"],
            ["Authorization: Bearer a.b.c"], ["Authorization: Digest \(key)"], ["Authorization: \(key)"],
            ["Authorization: Bearer \(key)", "Authorization: Bearer \(key)"],
            ["Authorization: Basic \(Data("\(key):x".utf8).base64EncodedString())"],
        ]
        var answers: Set<String> = []
        for fields in wrong {
            let connection = try await connection()
            try await connection.receive(Self.post(fields))
            #expect(connection.statuses() == [])
            await connection.pass(.milliseconds(199))
            #expect(connection.statuses() == [])
            await connection.pass(.milliseconds(1))
            answers.insert(connection.socket.output())
            #expect(connection.shared.metrics[.http].authenticationsFailed.value == 1)
            #expect(!connection.isOutputClosed, "a short body is read, and the connection kept")
        }
        #expect(answers.count == 1)
        let answer = try #require(answers.first)
        #expect(answer.hasPrefix("HTTP/1.1 401 ") && answer.contains("WWW-Authenticate: Bearer"))
        #expect(answer.contains(#"{"error":{"code":"unauthenticated","message":""#) && !answer.contains("mr_w"))
    }

    @Test func `a key without the scope is told so at once`() async throws {
        let key = keys.put([.read])
        let connection = try await connection()
        try await connection.receive(Self.post(["Authorization: Bearer \(key)"]))
        #expect(connection.statuses() == [403])
    }

    @Test func `an item of a type that the key may not send is refused by itself`() async throws {
        let key = keys.put { $0.eventTypes = ["page.*", "paid"] }
        let connection = try await connection()
        let save =
            #"{"conversation_id":"c","question":"q","response":"r","user_id":"01890a5d-ac96-774b-bcce-b302099a8057"}"#
        let types = ["page.viewed", "paid", "pages", "paid.twice", "p\\u0061id"].map { #"{"event_type":"\#($0)"}"# }
        try await connection.receive(
            Self.post(["Authorization: Bearer \(key)"], body: "[\((types + [save]).joined(separator: ","))]"))
        let submission = await connection.submission()
        #expect(submission.count == 3)
        submission.reply(.durable(0..<3))
        await connection.run()
        let answer = connection.socket.output()
        #expect(answer.contains(#""accepted":3"#))
        for index in [2, 3, 5] { #expect(answer.contains(#"{"index":\#(index),"error":{"code":"forbidden_type""#)) }
    }

    @Test func `over its rate a key gets 429 by the head, with the time to wait`() async throws {
        let key = keys.put { $0.events = .init(perSecond: 1, burst: 3) }
        let connection = try await connection()
        let fields = ["Authorization: Bearer \(key)"]
        try await connection.receive(
            Self.post(fields, body: "[\(Array(repeating: good, count: 60).joined(separator: ","))]"))
        await connection.settle()
        #expect(connection.statuses() == [202])
        try await connection.receive(Self.post(fields))
        let answer = connection.socket.output()
        #expect(answer.hasPrefix("HTTP/1.1 429 ") && answer.contains(#""code":"rate_limited""#))
        let wait = try #require(answer.firstMatch(of: #/Retry-After: (\d+)/#).flatMap { Int($0.1) })
        #expect((1...60).contains(wait) && wait > 30)
        #expect(connection.shared.metrics[.http].rateLimited.value == 1)
    }

    @Test func `a body that brings more than its key's rate is read no further for a while`() async throws {
        let key = keys.put { $0.events = .init(perSecond: 10, burst: 1) }
        let connection = try await connection()
        let line = good + "\n"
        let head =
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
            + "Content-Length: \(line.utf8.count * 101)\r\nAuthorization: Bearer \(key)\r\n\r\n"
        try await connection.receive(head + String(repeating: line, count: 100))
        #expect(try await !connection.read())
        await connection.pass(.seconds(5))
        #expect(try await !connection.read())
        await connection.pass(.seconds(6))
        #expect(try await connection.read())
        try await connection.receive(line)
        await connection.settle()
        #expect(connection.statuses() == [202])
    }

    @Test func `a key that is revoked in the middle of a body ends it`() async throws {
        let key = keys.put()
        let connection = try await connection()
        let text = Self.post(["Authorization: Bearer \(key)"], body: "[\(good),\(good)]")
        try await connection.receive(String(text.dropLast(3)))
        keys.revokeAll()
        try await connection.receive(String(text.suffix(3)))
        #expect(connection.statuses() == [401])
    }

    @Test func `an address has so many connections and requests, and no more`() async throws {
        let key = keys.put()
        let access = keys.access {
            $0.addressLoopback = true
            $0.addressConnectionsMax = 2
            $0.addressRequestsMax = 1
        }
        let first = try await HTTPTranscript { $0.access = access }
        let second = try await HTTPTranscript(beside: first)
        let third = try await HTTPTranscript(beside: first)
        #expect(third.statuses() == [429])
        #expect(third.isOutputClosed)
        let post = Self.post(["Authorization: Bearer \(key)"])
        try await first.receive(post)
        try await second.receive(post)
        #expect(second.statuses() == [429])
        await first.settle()
        #expect(first.statuses() == [202])
        try await second.receive(post)
        #expect(second.statuses() == [])
    }

    @Test func `of a flood of wrong keys few answers wait, and the rest is closed at once`() async throws {
        var auth = AuthConfiguration()
        auth.failuresWaitingMax = 3
        let key = keys.put()
        let access = IntakeAccess(keyRing: keys.ring, auth: .init(auth))
        let first = try await HTTPTranscript { $0.access = access }
        var flood = [first]
        for _ in 1..<10 { flood.append(try await HTTPTranscript(beside: first)) }
        for connection in flood { try await connection.receive(Self.post(["Authorization: Bearer mr_w_x"])) }
        #expect(flood.map(\.isClosed) == [false, false, false] + Array(repeating: true, count: 7))
        let beside = try await HTTPTranscript(beside: first)
        try await beside.receive(Self.post(["Authorization: Bearer \(key)"]))
        await beside.settle()
        #expect(beside.statuses() == [202])
        for connection in flood.prefix(3) {
            await connection.pass(.milliseconds(200))
            #expect(connection.statuses() == [401])
        }
        try await beside.receive(Self.post([]))
        #expect(!beside.isClosed, "places of answers that were given are free again")
    }

    @Test func `while no key was ever made nothing is asked for`() async throws {
        let connection = try await HTTPTranscript()
        try await connection.receive(Self.post(["Authorization: Bearer mr_w_whatever"]))
        let submission = await connection.submission()
        #expect(submission.records.map(\.tenant) == [0] && submission.lane == 0)
    }
}
