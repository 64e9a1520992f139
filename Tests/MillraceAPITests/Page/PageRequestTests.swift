import Testing

@testable import MillraceAPI

struct PageRequestTests {
    private struct Case: Sendable {
        var request: PageRequest
        var mayRead: Bool
        var mayChange: Bool

        init(
            _ mark: Bool, site: String? = nil, origin: String? = nil, host: String? = "millrace.example:8080",
            reads: Bool, changes: Bool
        ) {
            request = PageRequest(isMarked: mark, site: site, origin: origin, host: host)
            (mayRead, mayChange) = (reads, changes)
        }
    }

    private static let own = "http://millrace.example:8080"

    private static let cases = [
        // A page of the daemon's own, over TLS or on this machine, and one over plain HTTP on another.
        Case(true, site: "same-origin", reads: true, changes: true),
        Case(true, site: "same-origin", origin: own, reads: true, changes: true),
        Case(true, reads: true, changes: false),
        Case(true, origin: own, reads: true, changes: true),
        Case(true, origin: "https://millrace.example:8080", reads: true, changes: true),
        Case(true, origin: "HTTP://Millrace.Example:8080", reads: true, changes: true),
        // A proxy changed Host; the browser knows better.
        Case(true, site: "same-origin", origin: "https://public.example", reads: true, changes: true),
        // No page, and pages of others.
        Case(false, site: "same-origin", origin: own, reads: false, changes: false),
        Case(false, reads: false, changes: false),
        Case(true, site: "same-site", origin: own, reads: false, changes: false),
        Case(true, site: "cross-site", reads: false, changes: false),
        Case(true, site: "none", reads: false, changes: false),
        Case(true, site: "", reads: false, changes: false),
        Case(true, origin: "null", reads: false, changes: false),
        Case(true, origin: "", reads: false, changes: false),
        Case(true, origin: "http://millrace.example", reads: false, changes: false),
        Case(true, origin: "http://millrace.example:80800", reads: false, changes: false),
        Case(true, origin: "http://evil.millrace.example:8080", reads: false, changes: false),
        Case(true, origin: "file://millrace.example:8080", reads: false, changes: false),
        Case(true, origin: "http://", host: "", reads: false, changes: false),
        Case(true, origin: own, host: nil, reads: false, changes: false),
    ]

    @Test(arguments: cases) private func `only a page of the daemon's own uses a cookie`(one: Case) {
        #expect(one.request.mayRead == one.mayRead, "\(one.request)")
        #expect(one.request.mayChange == one.mayChange, "\(one.request)")
    }

    @Test func `a cookie is marked as secure where the browser came over TLS`() {
        func isSecure(_ origin: String?) -> Bool {
            PageRequest(isMarked: true, site: "same-origin", origin: origin, host: "a").isOverTLS
        }
        #expect(isSecure("https://a") && !isSecure("http://a") && !isSecure(nil) && !isSecure("null"))
    }

    @Test func `the cookie is found among others, and only by its whole name`() {
        let cookie = PageCookie(port: 8080)
        #expect(cookie.value(in: "millrace_session_8080=abc") == "abc")
        #expect(cookie.value(in: "a=b; millrace_session_8080=abc=; c=d") == "abc=")
        #expect(cookie.value(in: "millrace_session_8080=one; millrace_session_8080=two") == "two")
        for field in [
            nil, "", ";", "millrace_session_8080", "millrace_session_80801=x", "xmillrace_session_8080=x",
            "millrace_session=x", "Millrace_session_8080=x",
        ] {
            #expect(cookie.value(in: field) == nil, "\(field ?? "none")")
        }
        #expect(PageCookie(port: nil).value(in: "millrace_session=x") == "x")
        #expect(
            cookie.field("v", lifetime: .seconds(90), isSecure: true)
                == "millrace_session_8080=v; Path=/; Max-Age=90; HttpOnly; SameSite=Strict; Secure")
        #expect(cookie.field("", lifetime: .seconds(-5), isSecure: false).contains("Max-Age=0; HttpOnly"))
    }
}
