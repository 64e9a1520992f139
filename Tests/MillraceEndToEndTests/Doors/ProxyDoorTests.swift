import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ProxyDoorTests {
        @Test func `without keys a local program reads, and no proxy`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let http = installation.daemon.http
            #expect(try DoorRequest(target: "/v1/packs").send(to: http).status == 200)
            // What nginx says by itself: the Host of proxy_pass, and HTTP/1.0.
            let nginx = DoorRequest(
                target: "/v1/packs", version: "HTTP/1.0", host: "\(http)", headers: ["Connection: close"])
            let proxied =
                [nginx]
                + [
                    "Via: 1.1 cache", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https",
                    "Forwarded: for=203.0.113.9", "X-Real-IP: 203.0.113.9",
                ].map { DoorRequest(target: "/v1/packs", headers: [$0]) }
            for request in proxied {
                let answer = try request.send(to: http)
                #expect(answer.status == 403, "\(request)")
                #expect(try answer.json.error?.code == "no_keys")
            }
        }

        @Test func `a closed loopback leaves the Unix socket, a key closes both`() throws {
            let scratch = try ScratchDirectory()
            let socket = Endpoint.unix(scratch.path + "/http")
            let listen = try "[\"\(Endpoint.free())\", \"\(socket)\"]"
            let closed = try Installation(settings: ["api.open_on_loopback": "false", "http.listen": listen])
            try closed.daemon.launch()
            #expect(eventually { (try? HTTPClient.get("/livez", at: socket).status) == 200 })
            #expect(try DoorRequest(target: "/v1/packs", host: "any").send(to: socket).status == 200)
            let loopback = try Installation(
                "closed", settings: ["api.open_on_loopback": "false"])
            try loopback.daemon.start()
            #expect(try DoorRequest(target: "/v1/packs").send(to: loopback.daemon.http).status == 403)

            let keyed = try Installation(
                "keyed",
                settings: [
                    "jwt.secret": DaemonSettings.quoted(String(repeating: "k", count: 32)),
                    "api.open_on_loopback": "true",
                ])
            try keyed.daemon.start()
            #expect(try DoorRequest(target: "/v1/packs").send(to: keyed.daemon.http).status == 401)
        }
    }
}
