import Histogram
import Logging
import MillraceAPI
import MillraceChannels
import MillraceEvent
import MillracePostgres
import MillraceIntake
import MillraceTelemetry
import NIOPosix
import ServiceLifecycle
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(10)))
struct APIRoutesTests {
    private static let secret = "a secret of at least thirty-two bytes"
    private static let path = "/api/v1/conversations/save"

    private struct Harness {
        var channel: RecordChannel
        var records: @Sendable () -> [Record]
        var readiness: Mutex<Readiness>.Reference
        var port: Int
    }

    /// The HTTP intake with the API's routes and a spool that takes everything.
    private func withAPI(_ body: (Harness) async throws -> Void) async throws {
        let channel = RecordChannel(bytesMax: 1 << 20)
        let records = Mutex<[Record]>.Reference([])
        let readiness = Mutex<Readiness>.Reference(Readiness())
        let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        var tokens = JWTConfiguration()
        tokens.secret = Secret(Self.secret)
        var configuration = APIRoutesConfiguration()
        configuration.routes.requestBodyMax = 4096
        let routes = APIRoutes(
            configuration: configuration, channel: channel, verifier: try await TokenVerifier(tokens),
            reading: .unreachable, saves: KnownSaves(savesMax: 100),
            logger: quiet,
            readiness: { readiness.value.withLock { $0 } }, metrics: { "up 1\n" },
            latencies: { Self.latencies })
        try await RunningAPI.run(
            routes, channel: channel,
            received: { new in
                records.value.withLock { $0 += new }
            }
        ) { port in
            try await body(
                Harness(channel: channel, records: { records.value.withLock { $0 } }, readiness: readiness, port: port))
        }
    }

    private func token(_ subject: String = TestToken.user, role: String? = nil) async throws -> String {
        "Authorization: Bearer "
            + (try await TestToken(subject: subject, expiry: 4_000_000_000, role: role).signed(Self.secret))
    }

    private func save(_ extra: String = "", question: String = "why?") -> String {
        #"{"conversation_id":"c1","question":"\#(question)","response":"so","user_id":"\#(TestToken.user)"\#(extra)}"#
    }

    private func post(_ body: String, _ headers: String...) -> String {
        let lines = (headers + ["Host: t", "Content-Length: \(body.utf8.count)"]).joined(separator: "\r\n")
        return "POST \(Self.path) HTTP/1.1\r\n\(lines)\r\n\r\n\(body)"
    }

    private func get(_ path: String, method: String = "GET") -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: t\r\n\r\n"
    }

    @Test func `the same save gets the same id, and its time is in the spool`() async throws {
        try await withAPI { harness in
            let client = try await APIClient(port: harness.port)
            let timed = save(#","timestamp":"2026-11-01T10:00:00.5+02:00","metadata":{"a":1}"#)
            let first = try await client.ask(post(timed, token()))
            #expect(first?.status == 201)
            #expect(first?.body.hasPrefix(#"{"id":""#) == true)
            #expect(try await client.ask(post(timed, token()))?.body == first?.body)
            let line = harness.records().first.map { String(decoding: $0.bytes, as: UTF8.self) }
            #expect(
                line == #"{"conversation_id":"c1","question":"why?","response":"so","user_id":"\#(TestToken.user)","#
                    + #""timestamp":"2026-11-01T08:00:00.500000Z","source":"unknown","metadata":{"a":1}}"# + "\n")
        }
    }

    @Test func `a save without a time can be derived again from its line`() async throws {
        try await withAPI { harness in
            let client = try await APIClient(port: harness.port)
            let question = #"a \"quoted\"\n\u00e9 / \u0001 line"#
            let answer = try await client.ask(post(save(question: question), token()))
            let record = try #require(harness.records().first)
            let later = Timestamp(microseconds: record.receivedAt.microseconds + 5_000_000)
            let again = try EventParser().parseConversation(record.bytes, limits: EventLimits(), receivedAt: later)
            #expect(again.question == "a \"quoted\"\né / \u{1} line")
            #expect(answer?.body == #"{"id":"\#(again.id(tenant: 0))","status":"saved"}"#)
        }
    }

    @Test func `only the user or a service may save`() async throws {
        try await withAPI { harness in
            let other = "0190b5a0-0000-7000-8000-000000000002"
            let client = try await APIClient(port: harness.port)
            let forbidden = try await client.ask(post(save(), token(other)))
            #expect(forbidden?.status == 403)
            #expect(try await client.ask(post(save(), token(other, role: "service_role")))?.status == 201)
            let anonymous = try await client.ask(post(save()))
            #expect(anonymous?.status == 401)
            #expect(anonymous?.headers["www-authenticate"] == #"Bearer realm="millrace""#)
            let wrong = try await client.ask(post(save(), "Authorization: Bearer x.y.z"))
            #expect(wrong?.status == 401)
            #expect(wrong?.body.contains("malformed_token") == true)
            #expect(harness.records().count == 1)
        }
    }

    @Test func `a refused save says why`() async throws {
        try await withAPI { harness in
            let client = try await APIClient(port: harness.port)
            let unknown = try await client.ask(post(save(#","extra":1"#), token()))
            #expect(unknown?.status == 400)
            #expect(unknown?.body.hasPrefix(#"{"error":{"code":"unknown_field","message":"#) == true)
            let large = try await client.ask(post(save(question: String(repeating: "x", count: 5000)), token()))
            #expect(large?.status == 413)
            let again = try await APIClient(port: harness.port)
            harness.channel.refuse(.spoolFull)
            let full = try await again.ask(post(save(), token()))
            #expect(full?.status == 503)
            #expect(full?.headers["retry-after"] == "2")
            #expect(harness.records().isEmpty)
        }
    }

    @Test func `the routes for operations answer`() async throws {
        try await withAPI { harness in
            let client = try await APIClient(port: harness.port)
            #expect(try await client.ask(get("/livez"))?.status == 200)
            #expect(try await client.ask(get("/metrics"))?.body == "up 1\n")
            #expect(
                try await client.ask(get("/readyz"))?.body
                    == #"{"notes":[],"reasons":[],"status":"ready","writing":true}"#)
            harness.readiness.value.withLock { $0.reasons = [.init(code: "spool_full", message: "full")] }
            let unready = try await client.ask(get("/readyz"))
            #expect(unready?.status == 503)
            #expect(unready?.body.contains(#""reasons":[{"code":"spool_full","message":"full"}]"#) == true)
            let missing = try await client.ask(get("/nowhere"))
            #expect(missing?.status == 404)
            #expect(missing?.body.hasPrefix(#"{"error":{"code":"not_found""#) == true)
            let wrong = try await client.ask(get(Self.path))
            #expect(wrong?.status == 405)
            #expect(wrong?.headers["allow"] == "POST")
        }
    }

    /// A day of one stage.
    private static var latencies: LatencySnapshot {
        var histogram = LatencyHistogram.latencies()
        histogram.record(1500, count: 7)
        return LatencySnapshot(
            startedAt: .seconds(1_795_267_200), endedAt: .seconds(1_795_353_600),
            stages: [LatencySnapshot.Stage(name: "commit", histogram: histogram)])
    }

    @Test func `latencies come in the format that is asked for`() async throws {
        try await withAPI { harness in
            let client = try await APIClient(port: harness.port)
            func ask(_ query: String) async throws -> APIClient.Response {
                try #require(await client.ask(get("/debug/latency" + query)))
            }
            let text = try await ask("")
            #expect(text.status == 200)
            #expect(text.body.hasPrefix("since 2026-11-21T13:20:00.000Z, 86400.000 s\n\nstage"))
            #expect(text.body.contains("\ncommit      7"))
            let json = try await ask("?format=json")
            #expect(json.headers["content-type"] == "application/json")
            #expect(json.body.contains(#""p99.9_us" : 1500"#))
            #expect(json.body.contains(#""started_at" : "2026-11-21T13:20:00.000Z""#))
            #expect(try await ask("?format=hlog").body.contains("\nTag=commit,1795267200.000,86400.000,1.500,HISTFAAA"))
            // Of received_to_committed there is nothing.
            #expect(try await ask("?format=hgrm").body.contains("Total count    =            0]"))
            #expect(try await ask("?format=hgrm&stage=commit").body.contains("Total count    =            7]"))
            #expect(try await ask("?stage=copy").body.contains("\ncopy       0"))
            // The recorder of this test never grows, so nothing happens in the second that is watched.
            #expect(try await ask("?seconds=1").body.hasSuffix("max ms\n"))
            for (query, code) in [
                ("?format=xml", "invalid_format"), ("?stage=nonsense", "unknown_stage"),
                ("?seconds=0", "invalid_seconds"), ("?seconds=301", "invalid_seconds"),
            ] {
                let refused = try await ask(query)
                #expect(refused.status == 400)
                #expect(refused.body.hasPrefix(#"{"error":{"code":"\#(code)""#), "\(refused.body)")
            }
        }
    }

    @Test func `pipelined requests to the intake and to the routes are answered in order`() async throws {
        try await withAPI { harness in
            let client = try await APIClient(port: harness.port)
            let event = #"{"event_type":"a"}"#
            let events = "POST /v1/events HTTP/1.1\r\nHost: t\r\nContent-Length: \(event.utf8.count)\r\n\r\n\(event)"
            let requests = [
                get("/nowhere"), events, get("/livez"), events, events, try await post(save(), token()),
                get("/v1/events"), get("/livez"), get("/livez", method: "HEAD"),
            ]
            for _ in 0..<20 {
                try await client.send(requests.joined())
                var statuses: [Int] = []
                for request in requests {
                    let isHead = request.hasPrefix("HEAD")
                    statuses.append(try #require(await client.response(isHead: isHead)).status)
                }
                #expect(statuses == [404, 202, 200, 202, 202, 201, 401, 200, 200])
            }
        }
    }

    @Test func `a half-closed connection gets the routes' answers, too`() async throws {
        try await withAPI { harness in
            let client = try await APIClient(port: harness.port)
            try await client.send(get("/livez") + get("/nowhere"))
            try await client.halfClose()
            #expect(await client.response()?.status == 200)
            #expect(await client.response()?.status == 404)
            #expect(await client.response() == nil)
        }
    }
}

extension Mutex where Value: Sendable {
    /// A mutex that closures can share.
    final class Reference: Sendable {
        let value: Mutex<Value>

        init(_ value: Value) {
            self.value = Mutex(value)
        }
    }
}
