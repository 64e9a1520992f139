import MillraceIntake
import Testing

struct ListenAddressTests {
    @Test(arguments: [
        ("127.0.0.1:7171", ListenAddress.tcp(host: "127.0.0.1", port: 7171), true),
        ("localhost:0", .tcp(host: "localhost", port: 0), true), ("[::1]:80", .tcp(host: "::1", port: 80), true),
        ("[::]:80", .tcp(host: "::", port: 80), false), ("0.0.0.0:80", .tcp(host: "0.0.0.0", port: 80), false),
        ("127.example.org:80", .tcp(host: "127.example.org", port: 80), false),
        ("unix:/run/millrace.sock", .unix(path: "/run/millrace.sock"), true),
    ])
    func `addresses are read, and written as they were`(text: String, address: ListenAddress, isLocal: Bool) {
        #expect(ListenAddress(text) == address)
        #expect(address.description == text)
        #expect(address.isLocal == isLocal)
    }

    @Test(arguments: ["", "7171", ":7171", "host:", "host:x", "host:65536", "::1:80", "unix:relative", "unix:"])
    func `anything else is none`(text: String) {
        #expect(ListenAddress(text) == nil)
    }
}
