import Foundation
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// The page's routes as bytes, for browsers and for what is none.
    struct PageTests {
        private static let bytesMax = 300 << 10

        /// Of all that the page loads, from `/` on.
        private func files(_ daemon: DaemonProcess, _ headers: [(String, String)] = []) throws -> [String: HTTPResponse]
        {
            let client = HTTPClient(daemon.http)
            var files: [String: HTTPResponse] = [:]
            var wanted = ["/"]
            while let path = wanted.popLast() {
                guard files[path] == nil else { continue }
                let answer = try client.request("GET", path, headers: headers)
                #expect(answer.status == 200, "\(path)")
                files[path] = answer
                let text = headers.isEmpty ? answer.text : try client.request("GET", path).text
                wanted += text.matches(of: #/(?:src|href)="(\/page\/[^"]+)"/#).map { String($0.output.1) }
                guard path.hasSuffix(".js"), path != "/page/dygraph.js" else { continue }
                wanted += text.matches(of: #/from '\.\/([a-z]+\.js)'/#).map { "/page/" + $0.output.1 }
            }
            return files
        }

        @Test func `it is small, comes from this daemon alone, and runs nothing that is not a file of its own`() throws
        {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let plain = try files(daemon)
            #expect(plain.count > 15)
            #expect(plain.values.reduce(0) { $0 + $1.body.count } <= Self.bytesMax)
            let packed = try files(daemon, [("Accept-Encoding", "gzip")])
            #expect(packed.values.reduce(0) { $0 + $1.body.count } <= Self.bytesMax / 3)
            for (path, answer) in packed where path != "/page/icon.svg" {
                #expect(answer.headers["content-encoding"] == "gzip", "\(path)")
                let whole = try Compression.gunzip(answer.body)
                #expect(whole == plain[path]?.body, "\(path)")
            }
            for (path, answer) in plain {
                // A license is named by its address.
                let foreign = answer.text.matches(of: #/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}[^\s"']*/#)
                    .map { String($0.output) }
                    .filter { !$0.hasPrefix("http://www.w3.org/2000/svg") && !$0.contains("dygraphs/blob/") }
                #expect(foreign.isEmpty, "\(path): \(foreign)")
                for (name, value) in [
                    ("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin"),
                    ("cache-control", "no-cache"), ("vary", "Accept-Encoding"),
                ] {
                    #expect(answer.headers[name] == value, "\(path) \(name)")
                }
                let policy = answer.headers["content-security-policy"] ?? ""
                #expect(
                    policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"))
                #expect(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"))
            }
            let page = try #require(plain["/"])
            #expect(page.headers["content-type"] == "text/html; charset=utf-8")
            #expect(!page.text.contains("style=") && !page.text.contains("onclick"))
            #expect(page.text.matches(of: #/<script(?![^>]*src=)/#).isEmpty, "no script stands in the page")
            #expect(!plain.contains { !$0.key.contains("dygraph") && $0.value.text.contains("innerHTML") })
        }

        @Test func `browsers keep what has not changed, and other methods and files are told so`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let client = HTTPClient(daemon.http)
            for path in ["/", "/page/main.js"] {
                let first = try client.request("GET", path)
                let tag = try #require(first.headers["etag"])
                let again = try client.request("GET", path, headers: [("If-None-Match", "\"other\", W/\(tag)")])
                #expect(again.status == 304 && again.body.isEmpty && again.headers["etag"] == tag)
                let packed = try client.request(
                    "GET", path, headers: [("If-None-Match", tag), ("Accept-Encoding", "br, gzip;q=0.5")])
                #expect(packed.status == 200 && packed.headers["etag"] != tag, "another form has another tag")
                let refused = try client.request("GET", path, headers: [("Accept-Encoding", "gzip;q=0, *")])
                #expect(refused.headers["content-encoding"] == nil)
                let socket = try StreamSocket(daemon.http)
                try socket.send(DoorRequest(method: "HEAD", target: path, headers: ["Connection: close"]).bytes)
                var head: [String] = []
                while let line = try socket.line() { head.append(line.lowercased()) }
                #expect(head.first?.hasPrefix("http/1.1 200") == true && head.contains("etag: \(tag)\r"))
                #expect(head.last == "\r", "a head and no body")
                let posted = try client.request("POST", path, body: [])
                #expect(posted.status == 405 && posted.headers["allow"] == "GET, HEAD")
                #expect(try posted.json.error?.code == "method_not_allowed")
            }
            for path in [
                "/page/", "/page/index.html", "/page/../main.js", "/page/main.js/x", "/favicon.ico",
            ] {
                let answer = try client.request("GET", path)
                #expect(answer.status == 404, "\(path): \(answer.status)")
                #expect(try answer.json.error?.code == "not_found")
            }
            #expect(try client.request("GET", "/login").headers["allow"] == "POST")
            // Whoever followed a link here is let in; what a foreign page embeds is not.
            let link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate")]
            #expect(try client.request("GET", "/", headers: link).status == 200)
            let embedded = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")]
            #expect(try client.request("GET", "/page/main.js", headers: embedded).status == 403)
        }

        @Test func `page.enabled = false takes it away, by a reload too`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            #expect(try HTTPClient.get("/", at: daemon.http).status == 200)
            let settings = TextFile.read(daemon.configuration) + "\n[page]\nenabled = false\n"
            try TextFile.write(settings, to: daemon.configuration)
            #expect(try daemon.run("reload").isSuccess)
            for path in ["/", "/page/main.js", "/session"] {
                #expect(try HTTPClient.get(path, at: daemon.http).status == 404, "\(path)")
            }
            #expect(try HTTPClient(daemon.http).request("POST", "/login", body: []).status == 404)
            #expect(try HTTPClient.get("/v1/packs", at: daemon.http).status == 200)
        }
    }
}
