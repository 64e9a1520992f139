import MillraceAccess
import Testing

struct OriginListTests {
    private static let list = OriginList([
        "https://app.example.com", "http://localhost:3000", "https://*.shop.example", "http://*.dev.example:8080", "*",
    ])

    @Test(arguments: [
        "https://app.example.com", "http://localhost:3000", "https://a.shop.example", "https://a.b.shop.example",
        "http://x.dev.example:8080",
    ])
    func `an origin that is listed, or is under a listed domain, is in`(origin: String) {
        #expect(Self.list.contains(origin))
    }

    @Test(arguments: [
        "http://app.example.com", "https://app.example.com:8443", "https://app.example.com.evil.example", "null", "",
        "http://localhost", "https://shop.example", "https://.shop.example.", "https://evilshop.example",
        "https://evil.example/.shop.example", "https://evil.example#.shop.example", "https://a@b.shop.example",
        "https://a.shop.example:8443", "http://a.shop.example", "http://x.dev.example", "*", "https://*.shop.example",
    ])
    func `any other is not`(origin: String) {
        #expect(!Self.list.contains(origin))
    }

    @Test(arguments: [
        ("HTTPS://App.Example.com", "https://app.example.com"), ("https://a.example:443", "https://a.example"),
        ("http://a.example:80", "http://a.example"), ("http://a.example:443", "http://a.example:443"),
        ("https://*.a.example:8443", "https://*.a.example:8443"), ("http://localhost", "http://localhost"),
    ])
    func `an origin is kept as browsers write it`(text: String, origin: String) {
        #expect(OriginList.normalized(text) == origin)
    }

    @Test(arguments: [
        "", "*", "https://*", "https://*.com", "https://*.0.0.1", "https://a.*.example", "https://a.example/",
        "https://a.example/path", "a.example", "ftp://a.example", "null", "https://", "https://:443", "https://a..b",
        "https://a.example:0", "https://a.example:65536", "https://a.example:x", "https://u@a.example",
        "https://ä.example",
        "https://a.example:0443",
    ])
    func `what no browser calls an origin, or lets in half the world, is none`(text: String) {
        #expect(OriginList.normalized(text) == nil)
        #expect(OriginList([text]).isEmpty)
    }
}
