import MillraceConsole
import MillracePostgres
import Testing

struct DestinationTests {
    @Test(arguments: [
        ("app-1:7171", true), ("10.0.0.5:7171", true), ("[2001:db8::1]:7171", true), ("127.0.0.1:7171", false),
        ("[::1]:7171", false), ("localhost:7171", false), ("unix:/run/millrace/tcp.sock", false),
    ])
    func `a key in plain text is told of unless it stays on this machine`(address: String, isShown: Bool) throws {
        var destination = Destination(try #require(Endpoint(address)))
        #expect(!destination.showsKeyInPlainText, "there is none")
        destination.key = Secret("mr_w_1")
        #expect(destination.showsKeyInPlainText == isShown)
    }
}
