import MillraceTestSupport
import Testing

extension EndToEnd {
    struct BrowserDoorTests {
        private static let json = "Content-Type: application/json"

        @Test func `a page of a foreign site writes nothing, the daemon's own may`() throws {
            let installation = try Installation(settings: ["http.hosts": "[\"events.example.com\"]"])
            try installation.daemon.start()
            let http = installation.daemon.http
            guard case .port(let port) = http else { throw TestSupportError(message: "a port is wanted") }
            let foreign: [[String]] = [
                ["Origin: https://evil.example"], ["Origin: https://evil.example", Self.json],
                ["Origin: null", Self.json],
                ["Origin: http://localhost:1", Self.json],
                ["Origin: http://127.0.0.1:\(port).evil.example", Self.json],
                ["Origin: http://localhost", Self.json], ["Origin: file://", Self.json],
                ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", Self.json],
            ]
            for headers in foreign {
                let answer = try DoorRequest.event(host: "localhost:\(port)", headers).send(to: http)
                #expect(answer.status == 403, "\(headers)")
                #expect(try answer.json.error?.code == "forbidden_origin")
            }
            let preflight = DoorRequest(
                method: "OPTIONS", target: "/v1/events",
                headers: ["Origin: https://evil.example", "Access-Control-Request-Method: POST"])
            let refused = try preflight.send(to: http)
            #expect(refused.status == 403)
            #expect(!refused.headers.keys.contains { $0.hasPrefix("access-control") })
            let reading = DoorRequest(target: "/v1/events", headers: ["Origin: https://evil.example"])
            #expect(try reading.send(to: http).status == 403)

            let untyped = DoorRequest.event(host: "localhost:\(port)", ["Origin: http://localhost:\(port)"])
            #expect(try untyped.send(to: http).status == 415)
            let own = [
                ("localhost:\(port)", "http://localhost:\(port)"), ("127.0.0.1:\(port)", "http://localhost:\(port)"),
                ("events.example.com", "https://events.example.com"),
                ("events.example.com:443", "https://events.example.com"),
            ]
            for (host, origin) in own {
                let answer = try DoorRequest.event(host: host, ["Origin: \(origin)", Self.json]).send(to: http)
                #expect(answer.status == 202, "\(host) \(origin): \(answer.text)")
            }
            try installation.auditor.waitForRows(own.count)
            #expect(try installation.auditor.rows == own.count)
        }

        @Test func `a name that is not the daemon's is 421 everywhere but at the probes`() throws {
            let installation = try Installation(settings: ["http.hosts": "[\"events.example.com\"]"])
            try installation.daemon.start()
            let http = installation.daemon.http
            for path in ["/v1/events", "/metrics", "/debug/latency", "/openapi.json", "/v1/packs", "/nothing"] {
                for host in ["rebound.example", "127.0.0.1.rebound.example", "10.0.0.1:8080", "[::2]", "a b"] {
                    let answer = try DoorRequest(target: path, host: host).send(to: http)
                    #expect(answer.status == 421, "\(host)\(path)")
                    #expect(try answer.json.error?.code == "unknown_host")
                }
            }
            #expect(try DoorRequest.event(host: "rebound.example", [Self.json]).send(to: http).status == 421)
            for path in ["/livez", "/readyz"] {
                #expect(try DoorRequest(target: path, host: "10.1.2.3").send(to: http).status == 200)
            }
            for host in ["LOCALHOST", "localhost.:80", "127.8.8.8:1", "[::1]:9", "events.example.com", "app.localhost"]
            {
                #expect(try DoorRequest(target: "/metrics", host: host).send(to: http).status == 200, "\(host)")
                #expect(try DoorRequest.event(host: host, [Self.json]).send(to: http).status == 202, "\(host)")
            }
        }

        @Test(arguments: ["POST / HTTP/1.1", "GET /?x HTTP/1.0", "PRI * HTTP/2.0", "POST /"])
        func `what speaks HTTP to the TCP port is told so, and none of its lines is stored`(line: String) throws {
            let installation = try Installation("http on tcp")
            let daemon = installation.daemon
            try daemon.start()
            let socket = try StreamSocket(daemon.tcp)
            let form = "\(line)\r\nHost: localhost\r\nContent-Type: text/plain\r\n\r\n\(DoorRequest.event)\n"
            try socket.send(Array(form.utf8))
            var answer = ""
            while let line = try socket.line() { answer += line + "\n" }
            #expect(answer.contains("http_on_tcp"))
            #expect(eventually { daemon.log.contains("http request on the tcp intake") })
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(DoorRequest.event)
            try client.waitForAck(1)
            #expect(try installation.auditor.rows == 1)
            #expect(try installation.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
        }
    }
}
