import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct SocketActivationTests {
        @Test func `sockets that the service manager opened are used`() throws {
            let scratch = try ScratchDirectory()
            let tcp = try Endpoint.free()
            let http = try Endpoint.free()
            let process = try SpawnedProcess(
                "/usr/bin/systemd-socket-activate",
                [
                    "--listen=\(tcp)", "--listen=\(http)", "--fdname=tcp:http", MillraceBinary.path, "serve",
                    "--data-directory", scratch.path, "--set", "database.url=host=\(scratch.path)",
                ],
                mark: scratch.path, output: "\(scratch.path)/out", errors: "\(scratch.path)/log")
            #expect(eventually(within: .seconds(30)) { (try? HTTPClient.get("/readyz", at: http).status) == 200 })
            let client = try TCPClient(tcp, acks: "spooled")
            try client.send(#"{"event_type":"socket.activated"}"#)
            try client.waitForAck(1)
            process.signal(SIGTERM)
            #expect(try process.waitForExit(within: .seconds(30)) == .status(0))
        }

        @Test func `a socket without a name is refused with the fix`() throws {
            let scratch = try ScratchDirectory()
            let tcp = try Endpoint.free()
            let process = try SpawnedProcess(
                "/usr/bin/systemd-socket-activate",
                [
                    "--listen=\(tcp)", MillraceBinary.path, "serve", "--data-directory", scratch.path, "--set",
                    "database.url=host=\(scratch.path)",
                ],
                mark: scratch.path, output: "\(scratch.path)/out", errors: "\(scratch.path)/log")
            // The daemon is started by the first connection.
            #expect(eventually(within: .seconds(30)) { (try? TCPClient(tcp, acks: nil)) != nil })
            #expect(try process.waitForExit(within: .seconds(30)) == .status(1))
            #expect(TextFile.read("\(scratch.path)/log").contains("FileDescriptorName=tcp"))
        }
    }
}
