import Testing

@testable import MillraceConsole

struct FormatTests {
    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (13_295, "13,295"), (-1_234_567, "-1,234,567")])
    func `thousands stand apart`(value: Int, text: String) {
        #expect(Format.count(value) == text)
    }

    @Test(arguments: [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (64 << 20, "64.0 MiB")])
    func `bytes have their unit`(value: Int, text: String) {
        #expect(Format.bytes(value) == text)
    }

    @Test(arguments: [
        (Duration.milliseconds(420), "0.42 s"), (.seconds(12), "12 s"), (.seconds(200), "3 min 20 s"),
        (.seconds(7500), "2 h 5 min"), (.seconds(4 * 86400 + 3 * 3600), "4 d 3 h"),
    ])
    func `durations have two units at most`(value: Duration, text: String) {
        #expect(Format.duration(value) == text)
    }

    @Test func `numbers are flush right in a table`() {
        let table = Format.table([["kind", "lines"], ["event", "1,200"], ["refused", "3"]])
        #expect(table == "kind     lines\nevent    1,200\nrefused      3")
    }

    @Test(arguments: [
        ("127.0.0.1:7171", Endpoint.tcp(host: "127.0.0.1", port: 7171)), ("[::1]:80", .tcp(host: "::1", port: 80)),
        ("unix:/run/x", .unix(path: "/run/x")),
    ])
    func `an address is read and written alike`(text: String, endpoint: Endpoint) {
        #expect(Endpoint(text) == endpoint)
        #expect("\(endpoint)" == text)
    }

    @Test(arguments: ["", "host", "host:0", "host:70000", "::1:80", "unix:relative", ":80"])
    func `no address is no address`(text: String) {
        #expect(Endpoint(text) == nil)
    }
}
