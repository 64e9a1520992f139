import MillraceTestSupport
import Testing

extension EndToEnd {
    struct UpgradeTests {
        private static let json = "Content-Type: application/json"
        private static let h2c = [
            "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
            "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
        ]
        private static let websocket = ["Connection: keep-alive, Upgrade", "Upgrade: websocket"]

        @Test func `an offer to change the protocol is declined, and the connection goes on`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let client = HTTPClient(installation.daemon.http)
            for offer in [Self.h2c, Self.websocket, ["Upgrade: h2c"], ["Connection: upgrade", "upgrade: TLS/1.0"]] {
                let post = DoorRequest.event(offer + [Self.json]).bytes
                #expect(try client.exchange(post).status == 202, "\(offer)")
                #expect(try client.exchange(post).status == 202, "\(offer)")
                let get = DoorRequest(target: "/livez", headers: offer).bytes
                #expect(try client.exchange(get).status == 200, "\(offer)")
                #expect(try client.exchange(DoorRequest.event([Self.json]).bytes).status == 202, "\(offer)")
            }
            // The next requests in the same write, and in pieces.
            let socket = try StreamSocket(installation.daemon.http)
            let piece = DoorRequest.event(Self.h2c + [Self.json]).bytes
            try socket.send(piece + piece + DoorRequest(target: "/livez").bytes + piece.prefix(20))
            for status in ["202", "202", "200"] { #expect(try Self.nextStatus(socket) == status) }
            try socket.send(Array(piece.dropFirst(20)))
            #expect(try Self.nextStatus(socket) == "202")
            try installation.auditor.waitForRows(15)
            #expect(try installation.auditor.rows == 15)
        }

        private static func nextStatus(_ socket: StreamSocket) throws -> String? {
            while let line = try socket.line(within: .seconds(30)) {
                // An answer's body has no line end of its own.
                if let status = line.firstRange(of: "HTTP/1.1 ") { return String(line[status.upperBound...].prefix(3)) }
            }
            return nil
        }

        @Test(arguments: [
            ("CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 405),
            ("CONNECT /v1/events HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 405),
            ("GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: x, upgrade\tx\r\nUpgrade: h2c\r\n\r\n", 200),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
            ("GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\nmore", 200),
            ("GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: 101-switching\r\n\r\n", 417),
            ("GET /livez HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
        ])
        func `where the connection can't go on it is answered and closed`(request: String, status: Int) throws {
            let installation = try Installation("stops")
            try installation.daemon.start()
            let socket = try StreamSocket(installation.daemon.http)
            try socket.send(Array(request.utf8))
            #expect(try Self.nextStatus(socket) == "\(status)")
            while try socket.line(within: .seconds(30)) != nil {}
            #expect(socket.isEnded)
        }

        @Test func `who expects 100-continue gets it`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let socket = try StreamSocket(installation.daemon.http)
            let request = DoorRequest.event([Self.json, "Expect: 100-continue"] + Self.h2c).bytes
            let body = Array(DoorRequest.event.utf8)
            try socket.send(Array(request.dropLast(body.count)))
            #expect(try socket.line()?.hasPrefix("HTTP/1.1 100") == true)
            try socket.send(body)
            #expect(try Self.nextStatus(socket) == "202")
        }
    }
}
