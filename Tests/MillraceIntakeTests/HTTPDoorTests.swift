@testable import MillraceIntake
import NIOHTTP1
import Testing

struct HTTPDoorTests {
    private static let door = HTTPDoor(
        listen: [.tcp(host: "events.Example.org", port: 80), .unix(path: "/run/m.sock")], hosts: ["proxy.test:8443"],
        origins: ["https://a.example"])
    private static let loopback = HTTPDoor.Entrance(address: "127.0.0.1", port: 8080)

    private func page(
        _ headers: [(String, String)], isSending: Bool = false, at entrance: HTTPDoor.Entrance = loopback
    ) -> ForeignPage? {
        Self.door.foreignPage(HTTPRequestFields(HTTPHeaders(headers)), at: entrance, isSending: isSending)
    }

    private func code(_ headers: [(String, String)], at entrance: HTTPDoor.Entrance = loopback) -> HTTPProblem.Code? {
        Self.door.problem(HTTPRequestFields(HTTPHeaders(headers)), at: entrance)?.code
    }

    @Test(arguments: [
        "localhost", "LOCALHOST:8080", "app.localhost", "127.0.0.1:8080", "127.9.9.9", "[::1]:80",
        "events.example.org.",
        "proxy.test", "proxy.test:1",
    ])
    func `names of this machine and those that are listed get in`(host: String) {
        #expect(code([("Host", host)]) == nil)
    }

    @Test(arguments: [
        "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "a b", "127.1", "[::1", "h:x",
    ])
    func `any other name does not, but by a Unix socket`(host: String) {
        #expect(code([("Host", host)]) == .unknownHost)
        #expect(code([("Host", host)], at: HTTPDoor.Entrance()) == nil)
    }

    @Test(arguments: [
        ("http://evil.example", false), ("null", false), ("http://localhost:9999", false),
        ("https://localhost:8080", true),
        ("http://localhost:8080", true), ("http://127.0.0.1:8080", true), ("file://", false), ("localhost:8080", false),
        ("http://localhost:8080@evil.example", false),
    ])
    func `a page gets in from the daemon's own origin only`(origin: String, isOwn: Bool) {
        let page = page([("Host", "localhost:8080"), ("Origin", origin)])
        #expect(page == (isOwn ? nil : ForeignPage(origin: origin, isListed: false)))
    }

    @Test(arguments: [
        ("cross-site", "no-cors", false), ("same-site", "cors", false), ("cross-site", "navigate", true),
        ("same-origin", "cors", true), ("none", "navigate", true),
    ])
    func `what a browser says it fetches for a foreign page stays out`(site: String, mode: String, isIn: Bool) {
        let fields = [("Host", "localhost"), ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", mode)]
        #expect((page(fields) == nil) == isIn)
        // What it navigates to may be a frame of it: nobody writes by that.
        #expect((page(fields, isSending: true) == nil) == (site == "same-origin" || site == "none"))
    }

    @Test(arguments: [
        ([("Referer", "https://a.example/b?c")], "https://a.example"),
        ([("Referer", "https://b.example:8443")], "https://b.example:8443"),
        ([("Referer", "https://a.example/"), ("Sec-Fetch-Site", "cross-site")], "https://a.example"),
        ([("Referer", "https://a.example/"), ("Sec-Fetch-Site", "same-origin")], nil),
        ([("Referer", "http://localhost:8080/page")], nil), ([("Referer", "https://u@a.example/")], nil),
        ([("Referer", "about:blank")], nil), ([], nil),
    ])
    func `without Origin, Referer says which page sends`(fields: [(String, String)], origin: String?) {
        let fields = [("Host", "localhost:8080")] + fields
        #expect(page(fields, isSending: true)?.origin == origin)
        #expect(page(fields, isSending: true).map(\.isListed) == origin.map { $0 == "https://a.example" })
    }

    @Test(arguments: [
        ("host", "host", nil), ("Host.:80", "host", 80), ("[FE80::1]:7", "fe80::1", 7), ("h:", "h", nil),
        ("h:65535", "h", 65_535),
    ])
    func `an authority is a host and a port`(text: String, host: String, port: Int?) {
        let authority = HTTPAuthority(text)
        #expect(authority?.host == host && authority?.port == port)
    }

    @Test(arguments: ["", ":80", "[]", "[::1]x", "h:65536", "h:-1", "h:8 0", "a/b", "u@h", "h\u{7F}", "ä"])
    func `anything else is no authority`(text: String) {
        #expect(HTTPAuthority(text) == nil)
    }
}
