import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ReloadTests {
        private func event(bytes: Int) -> String {
            #"{"event_type":"reload.tried","payload":{"text":"\#(String(repeating: "x", count: bytes))"}}"#
        }

        @Test func `a reload applies what it may, names what wants a restart, and open connections go by it`() throws {
            let daemon = try Installation().daemon
            try daemon.start()
            let (tcp, http) = (try TCPClient(daemon.tcp, acks: "spooled"), HTTPClient(daemon.http))
            try tcp.send(event(bytes: 4000))
            try tcp.waitForAck(1)
            #expect(try http.postEvents(Array(event(bytes: 4000).utf8)).status == 202)

            try daemon.change([
                "limits.payload_bytes": "\"2KiB\"", "log.level": "\"debug\"", "log.format": "\"json\"",
                "database.writers": "3", "database.batch_rows": "100",
            ])
            let run = try daemon.run("reload")
            #expect(run.isSuccess, "\(run.errors)")
            #expect(run.output.contains("limits.payload_bytes: \"256KiB\" -> \"2KiB\""), "\(run.output)")
            #expect(run.output.contains("database.batch_rows: 65536 -> 100"))
            #expect(run.output.contains("as before, until a restart:\n  database.writers: 2 -> 3"))

            try tcp.send(event(bytes: 4000))
            try tcp.send(event(bytes: 1000))
            try tcp.waitForAck(3)
            #expect(tcp.refusals[2]?.code == "payload_too_large")
            #expect(tcp.refusals.count == 1)
            #expect(try http.postEvents(Array(event(bytes: 4000).utf8)).status == 400)
            #expect(try http.postEvents(Array(event(bytes: 1000).utf8)).status == 202)
            #expect(eventually { daemon.log.contains(#""level":"notice","label":"millrace","message":"reloaded""#) })
            #expect(daemon.log.contains(#""needs_restart":"database.writers""#))

            let again = try daemon.run("reload", "--json")
            #expect(
                again.output.contains(#""applied":[],"needs_restart":[{"key":"database.writers","old":"2","new":"3"}]"#)
            )
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `an invalid file changes nothing and says file, line and key, by command and by SIGHUP`() throws {
            let daemon = try Installation().daemon
            try daemon.start()
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            try daemon.change(["limits.payload_bytes": "\"2KiB\"", "log.level": "\"loud\""])
            let place = daemon.place(of: "log.level")
            let run = try daemon.run("reload")
            #expect(run.exit == .status(1))
            #expect(run.errors.contains("\(place): log.level is the string \"loud\""), "\(run.errors)")
            let answer = try HTTPClient(daemon.http).request("POST", "/v1/reload", body: [])
            #expect(answer.status == 409)
            #expect(answer.text.contains("reload_refused"))
            #expect(answer.text.contains(place))
            try daemon.process.signal(SIGHUP)
            #expect(eventually { daemon.log.contains("not reloaded") && daemon.log.contains("from=SIGHUP") })
            #expect(daemon.log.contains(place))
            try client.send(event(bytes: 4000))
            try client.waitForAck(1)
            #expect(client.refusals.isEmpty)
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `what does not go with a value that wants a restart is refused, and names that`() throws {
            let daemon = try Installation(settings: ["spool.segment_bytes": "\"4MiB\""]).daemon
            try daemon.start()
            try daemon.change(["limits.line_bytes": "\"6MiB\"", "spool.segment_bytes": "\"8MiB\""])
            let run = try daemon.run("reload")
            #expect(run.exit == .status(1))
            #expect(run.errors.contains(daemon.place(of: "limits.line_bytes")), "\(run.errors)")
            #expect(run.errors.contains("what wants a restart: spool.segment_bytes"), "\(run.errors)")
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `a file of token keys that can't be used refuses the whole reload, and its old keys stay`() throws {
            let daemon = try Installation(settings: ["jwt.secret": "\"\(BearerToken.secret)\""]).daemon
            try daemon.start()
            let reader = BearerToken(subject: "reader", scope: "millrace:read").header
            let administrator = BearerToken(subject: "operator", scope: "millrace:admin").header
            let (client, keys) = (HTTPClient(daemon.http), daemon.directory + "/jwks.json")
            func reload(_ header: (String, String)? = administrator) throws -> HTTPResponse {
                try client.request("POST", "/v1/reload", headers: header.map { [$0] } ?? [], body: [])
            }
            #expect(try reload(nil).status == 401)
            #expect(try reload(reader).status == 403)
            try daemon.change(["jwt.jwks_file": "\"\(keys)\"", "log.level": "\"debug\""])
            for text in [nil, "{}", #"{"keys":[{"kty":"RSA","alg":"RS256","n":"AQAB","e":"AQAB"}]}"#] {
                if let text { try TextFile.write(text, to: keys) }
                let answer = try reload()
                #expect(answer.status == 409, "\(answer.text)")
                #expect(!daemon.log.contains(" debug "))
                #expect(try client.request("GET", "/v1/events", headers: [reader]).status == 200)
            }
            try TextFile.write(#"{"keys":[]}"#, to: keys)
            #expect(try reload().status == 200)
            #expect(try client.request("GET", "/v1/events", headers: [reader]).status == 200)
            try daemon.change(["jwt.secret": "\"another secret of the tests, 32 bytes or more\""])
            let answer = try reload()
            #expect(answer.text.contains(#"{"key":"jwt.secret","old":"\"***\"","new":"\"***\""}"#), "\(answer.text)")
            #expect(try client.request("GET", "/v1/events", headers: [reader]).status == 401)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
