@testable import MillraceIntake
import MillraceChannels
import MillraceDialects
import NIOHTTP1
import Testing

struct HTTPAdmissionTests {
    private static let json = ("Content-Type", "application/json")
    private static let text = ("Content-Type", "text/plain;charset=UTF-8")
    private static let listed = ("Origin", "https://a.example")
    private static let question = ("Access-Control-Request-Method", "POST")

    private func verdict(
        _ method: HTTPMethod, _ uri: String, _ fields: [(String, String)], isReserved: Bool = false,
        spoolRefusal: SpoolRefusal? = nil,
        access: HTTPAccess = HTTPAccess(shared: IntakeAccess(), address: nil, clientSubject: nil)
    ) -> String {
        let head = HTTPRequestHead(
            version: .http1_1, method: method, uri: uri, headers: HTTPHeaders([("Host", "localhost")] + fields))
        let admission = HTTPAdmission(
            head, at: HTTPDoor.Entrance(address: "127.0.0.1", port: 8080),
            door: HTTPDoor(listen: [], hosts: [], origins: [Self.listed.1]),
            access: access, isReserved: isReserved, spoolRefusal: spoolRefusal)
        return switch admission.verdict {
        case .events(let head, let saysContinue):
            "events \(head.acknowledgement)" + (saysContinue ? " 100" : "")
                + (head.dialect.map { " \($0.dialect)" } ?? "")
        case .answered(let answer): "answered \(answer.status)"
        case .routes(let head, _): "routes \(head.uri)"
        case .refused(let problem): "refused \(problem.code.rawValue)"
        case .cutOff(let problem): "cut off \(problem.code.rawValue)"
        }
    }

    @Test(arguments: [
        (HTTPMethod.POST, "/v1/events", [(String, String)](), "events spooled"),
        (.POST, "//v1/events?ack=committed", [("Expect", "100-continue")], "events committed 100"),
        (.GET, "/v1/./events/?type=a", [], "routes /v1/events?type=a"),
        (.PUT, "/v1/events", [], "refused method_not_allowed"),
        (.PUT, "/v1/events", [("Content-Length", "65537")], "cut off method_not_allowed"),
        (.PUT, "/v1/events", [("Transfer-Encoding", "chunked")], "cut off method_not_allowed"),
        (.PUT, "/v1/events", [("Expect", "100-continue")], "cut off method_not_allowed"),
        (.POST, "/v1/events", [("Origin", "http://evil.example")], "refused forbidden_origin"),
        (.POST, "/livez", [("Origin", "http://evil.example")], "routes /livez"),
        (.POST, "/v1/events", [("Content-Length", "1"), ("Content-Length", "1")], "cut off malformed_request"),
        (.POST, "/batch/?x", [], "events spooled postHog"), (.POST, "//v1/track/", [], "events spooled segment"),
        (.GET, "/pixel/v1/page", [], "events spooled segment"), (.GET, "/batch", [], "routes /batch"),
        (.POST, "/v1/batch", [("Content-Type", "image/png")], "refused unsupported_media_type"),
        (.POST, "/v1/batch", [("Content-Encoding", "br")], "refused unsupported_encoding"),
        (
            .POST, "/v1/events?ack=committed", [("Content-Type", "application/cloudevents+json")],
            "events committed cloudEvents"
        ),
        (.OPTIONS, "/v1/cloudevents", [("WebHook-Request-Origin", "a")], "answered 200"),
        (.OPTIONS, "/v1/cloudevents", [], "routes /v1/cloudevents"), (.GET, "/p.gif?x", [], "events spooled pixel"),
        (.GET, "/millrace.js", [("Sec-Fetch-Site", "cross-site")], "answered 200"),
        (.HEAD, "/millrace.js", [], "answered 200"), (.POST, "/millrace.js", [], "routes /millrace.js"),
        (.POST, "/v1/logs", [json], "events spooled openTelemetry"),
        (.POST, "/v1/events", [listed, text], "events spooled"),
        (.POST, "/v1/events", [text], "refused unsupported_media_type"),
        (.POST, "/v1/events", [listed], "events spooled"), (.POST, "/v1/track", [listed], "events spooled segment"),
        (.GET, "/v1/events", [listed], "refused forbidden_origin"),
        (.OPTIONS, "/v1/events", [listed, question], "answered 204"),
        (.OPTIONS, "/v1/events", [listed], "refused method_not_allowed"),
        (.OPTIONS, "/v1/packs", [listed, question], "refused forbidden_origin"),
        (.OPTIONS, "/e/", [("Origin", "http://evil.example"), question], "refused forbidden_origin"),
        (.POST, "/flags/", [listed], "answered 200"),
        (.POST, "/flags/", [("Origin", "http://evil.example")], "refused forbidden_origin"),
        (.GET, "/p.gif", [("Referer", "http://evil.example/")], "refused forbidden_origin"),
        (
            .GET, "/p.gif", [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")],
            "refused forbidden_origin"
        ), (.POST, "/decide/?v=3", [], "answered 200"),
        (.CONNECT, "h:1", [], "cut off method_not_allowed"), (.GET, "nowhere", [], "cut off malformed_request"),
    ])
    func `a head decides what becomes of its request`(
        method: HTTPMethod, uri: String, fields: [(String, String)], expected: String
    ) {
        #expect(verdict(method, uri, fields) == expected)
    }

    @Test func `a reserved connection answers for operations only`() {
        #expect(verdict(.POST, "/v1/events", [], isReserved: true) == "cut off too_many_connections")
        #expect(verdict(.GET, "/metrics", [], isReserved: true) == "routes /metrics")
    }

    @Test func `a spool that takes nothing refuses events and nothing else`() {
        #expect(verdict(.POST, "/v1/events", [], spoolRefusal: .spoolFull) == "refused spool_full")
        #expect(verdict(.GET, "/v1/events", [], spoolRefusal: .spoolFull) == "routes /v1/events")
    }
}
