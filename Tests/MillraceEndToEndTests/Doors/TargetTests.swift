import MillraceTestSupport
import Testing

extension EndToEnd {
    struct TargetTests {
        private static let json = ["Content-Type: application/json"]

        @Test func `one resource has one answer, however its path is written`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let http = installation.daemon.http
            let same = [
                "/v1/events", "//v1/events", "/v1//events", "/v1/events/", "/v1/./events", "/x/../v1/events",
                "/v1/%65vents", "/%76%31/events", "http://localhost/v1/events", "HTTP://127.0.0.1:80//v1/events/",
            ]
            for target in same {
                for suffix in ["", "?ack=spooled"] {
                    let post = DoorRequest(
                        method: "POST", target: target + suffix, headers: Self.json, body: DoorRequest.event)
                    #expect(try post.send(to: http).status == 202, "\(target)\(suffix)")
                }
                #expect(try DoorRequest(target: target + "?limit=1").send(to: http).status == 200, "\(target)")
                let put = try DoorRequest(method: "PUT", target: target).send(to: http)
                #expect(put.status == 405, "\(target)")
                #expect(put.headers["allow"] == "POST, GET, HEAD", "\(target)")
            }
            for target in ["/v1%2Fevents", "/v1/events%2F", "/V1/events", "/v1/events/x", "/v1/%2E%2E/events"] {
                for method in ["GET", "POST", "PUT"] {
                    let answer = try DoorRequest(method: method, target: target).send(to: http)
                    #expect(answer.status == 404, "\(method) \(target): \(answer.text)")
                }
            }
            for target in ["/v1/events%zz", "/livez%", "ftp://localhost/v1/events", "http://me@localhost/v1/events"] {
                for method in ["GET", "POST"] {
                    let answer = try DoorRequest(method: method, target: target).send(to: http)
                    #expect(answer.status == 400, "\(method) \(target): \(answer.text)")
                }
            }
            let foreign = DoorRequest(
                method: "POST", target: "http://rebound.example/v1/events", headers: Self.json, body: DoorRequest.event)
            #expect(try foreign.send(to: http).status == 421)
            let wrong = try DoorRequest(method: "POST", target: "/livez/", body: "").send(to: http)
            #expect(wrong.status == 405)
            #expect(wrong.headers["allow"] == "GET, HEAD")
            try installation.auditor.waitForRows(same.count * 2)
        }
    }
}
