@testable import MillraceIntake
import Testing

struct HTTPRequestTargetTests {
    @Test(arguments: [
        ("/v1/events", "/v1/events"), ("//v1/events", "/v1/events"), ("/v1/events/", "/v1/events"),
        ("/v1/./events", "/v1/events"), ("/v1/x/../events", "/v1/events"), ("/../../v1/events", "/v1/events"),
        ("/v1/%65vents", "/v1/events"), ("/v1%2fevents", "/v1%2Fevents"), ("/%7Euser?a=%2f//", "/~user?a=%2f//"),
        ("/", "/"), ("//", "/"), ("/?q=/../", "/?q=/../"), ("*", "*"),
        ("http://h/v1/events", "/v1/events"), ("HTTPS://h:1?q", "/?q"), ("http://h", "/"), ("http://h//a/", "/a"),
    ])
    func `one path whatever form it was written in`(text: String, uri: String) {
        #expect(HTTPRequestTarget(text)?.uri == uri)
    }

    @Test(arguments: [
        "", "v1/events", "/%", "/%4", "/%zz", "/%+1", "ftp://h/", "http:/h", "http://", "http:///x", "http://u@h/",
    ])
    func `what is no target is none`(text: String) {
        #expect(HTTPRequestTarget(text) == nil)
    }

    @Test func `the authority of absolute-form is known`() {
        #expect(HTTPRequestTarget("http://Example.org:80/v1?x")?.authority == "Example.org:80")
        #expect(HTTPRequestTarget("/v1?x=http://h/")?.authority == nil)
        #expect(HTTPRequestTarget("/v1/events?type=a")?.path == "/v1/events")
    }

    @Test(arguments: [
        ("POST / HTTP/1.1", true), ("GET /x", true), ("PRI * HTTP/2.0", true), ("CONNECT h:1 HTTP/1.1", true),
        ("M-SEARCH * HTTP/1.1", true), ("GET http://h/", true), ("", false), ("GET", false), ("GET ", false),
        ("{\"event_type\":\"a\"}", false), ("MILLRACE 1 acks=spooled", false), ("get / HTTP/1.1", false),
    ])
    func `a line of the TCP intake that HTTP begins with is told`(line: String, isOne: Bool) {
        var bytes = Array(line.utf8)
        let found = bytes.withUnsafeMutableBytes { HTTPRequestLine.isOne(UnsafeRawBufferPointer($0)) }
        #expect(found == isOne)
    }
}
