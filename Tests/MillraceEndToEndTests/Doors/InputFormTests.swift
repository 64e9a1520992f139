import MillraceTestSupport
import Testing

extension EndToEnd {
    struct InputFormTests {
        private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        private static let user = "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"

        private static func event(_ type: String) -> [UInt8] { Array("{\"event_type\":\"\(type)\"}".utf8) }

        @Test func `a byte order mark in front is skipped at every door`() throws {
            let installation = try Installation(
                settings: ["jwt.secret": DaemonSettings.quoted(BearerToken.secret)])
            let daemon = installation.daemon
            try daemon.start()
            func post(_ body: [UInt8], _ type: String, isChunked: Bool = false) throws {
                let answer = try HTTPClient(daemon.http).request(
                    "POST", "/v1/events", headers: [("Content-Type", type)], body: body, isChunked: isChunked,
                    chunkBytes: 1)
                #expect(answer.status == 202, "\(answer.text)")
                #expect(try answer.json.rejected?.isEmpty == true, "\(answer.text)")
            }
            for isChunked in [false, true] {
                try post(Self.mark + Self.event("json"), "application/json", isChunked: isChunked)
                try post(
                    Self.mark + Array("[".utf8) + Self.event("array") + Array("]".utf8), "application/json",
                    isChunked: isChunked)
                try post(
                    Self.mark + Self.event("lines") + Array("\n \t\r\n".utf8) + Self.event("lines"),
                    "application/x-ndjson",
                    isChunked: isChunked)
            }
            let save =
                "{\"conversation_id\":\"c\",\"question\":\"q\",\"response\":\"r\",\"user_id\":\"\(Self.user)\"}"
            let saved = try HTTPClient(daemon.http).request(
                "POST", "/api/v1/conversations/save",
                headers: [BearerToken(subject: Self.user).header, ("Content-Type", "application/json")],
                body: Self.mark + Array(save.utf8))
            #expect(saved.status == 201, "\(saved.text)")

            let oneWay = try TCPClient(daemon.tcp, acks: nil)
            try oneWay.send(Self.mark + Self.event("one way") + [0x0A])
            try oneWay.finish()
            let answered = try TCPClient(daemon.tcp, acks: nil)
            try answered.send(
                Self.mark + Array("{\"hello\":{\"acks\":\"committed\"}}\n  \t \n".utf8) + Self.event("hello") + [0x0A])
            try answered.waitForAck(1)
            #expect(answered.refusals.isEmpty)

            let scratch = try ScratchDirectory()
            let lines = scratch.path + "/lines.ndjson"
            try TextFile.write(Self.mark + Self.event("sent") + Array("\n   \n".utf8), to: lines)
            #expect(try daemon.run("send", lines).isSuccess)
            let export = scratch.path + "/users.json"
            try TextFile.write(
                Self.mark + Array("{\"users\":[{\"id\":1,\"username\":\"a\",\"email\":\"a@example.org\"}]}".utf8),
                to: export)
            let imported = try daemon.run("import", export, "--system", "workspaces")
            #expect(imported.isSuccess, "\(imported.output)\(imported.errors)")
            // 2 × (1 + 1 + 2) posted, a save, two by TCP, one sent, one imported.
            try installation.auditor.waitForRows(13)
            #expect(try installation.auditor.rows == 13)
            #expect(try installation.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            #expect(try HTTPClient(daemon.http).postEvents(Self.mark).json.error?.code == "empty_body")
        }

        @Test func `compressed bodies end as gunzip and zstd -d let them end`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let line = Self.event("packed") + [0x0A]
            let gzip = try Compression.gzip.compress(line)
            let zstd = try Compression.zstd.compress(line)
            let emptyGzip = try Compression.gzip.compress([])
            let emptyZstd = try Compression.zstd.compress([])
            let zeros = [UInt8](repeating: 0, count: 700)
            let skipped: [UInt8] = [0x5A, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]
            let taken: [(String, [UInt8], Int)] = [
                ("gzip", gzip, 1), ("gzip", gzip + zeros, 1), ("gzip", gzip + gzip + gzip, 3),
                ("gzip", emptyGzip + gzip + emptyGzip, 1), ("gzip", gzip + emptyGzip + zeros, 1),
                ("zstd", zstd + zstd, 2), ("zstd", skipped + zstd + skipped + zstd + skipped, 2),
                ("zstd", emptyZstd + zstd + emptyZstd, 1),
            ]
            var rows = 0
            for (encoding, body, count) in taken {
                for isChunked in [false, true] {
                    let answer = try HTTPClient(daemon.http).request(
                        "POST", "/v1/events",
                        headers: [("Content-Type", "application/x-ndjson"), ("Content-Encoding", encoding)], body: body,
                        isChunked: isChunked, chunkBytes: 1)
                    #expect(answer.status == 202, "\(encoding) of \(body.count): \(answer.text)")
                    #expect(try answer.json.accepted == count)
                    rows += count
                }
            }
            let refused: [(String, [UInt8], String, String)] = [
                ("gzip", gzip.dropLast(), "truncated_body", "ends before its stream does"),
                ("gzip", gzip + gzip.dropLast(9), "truncated_body", "ends before its stream does"),
                ("gzip", gzip + Array("more".utf8), "invalid_compression", "bytes follow the end of the gzip stream"),
                ("gzip", gzip + zeros + gzip, "invalid_compression", "bytes follow the zeros"),
                ("zstd", zstd.dropLast(), "truncated_body", "ends before its stream does"),
                (
                    "zstd", zstd + Array("more of it".utf8), "invalid_compression",
                    "bytes follow the end of the zstd stream"
                ),
                ("zstd", skipped.dropLast(), "truncated_body", "ends before its stream does"),
                ("gzip", emptyGzip, "empty_body", "the body is empty"),
            ].map { ($0, Array($1), $2, $3) }
            for (encoding, body, code, words) in refused {
                let answer = try HTTPClient(daemon.http).postEvents(body, encoding: encoding)
                #expect(answer.status == 400, "\(code)")
                #expect(try answer.json.error?.code == code)
                #expect(try answer.json.error?.message.contains(words) == true, "\(answer.text)")
            }

            let scratch = try ScratchDirectory()
            for (index, (_, body, count)) in taken.enumerated() {
                let file = scratch.path + "/\(index)"
                try TextFile.write(body, to: file)
                let sent = try daemon.run("send", file)
                #expect(sent.isSuccess, "\(index): \(sent.output)\(sent.errors)")
                rows += count
            }
            let garbage = scratch.path + "/garbage"
            try TextFile.write(gzip + Array("more".utf8), to: garbage)
            let run = try daemon.run("send", garbage)
            #expect((run.output + run.errors).contains("something else follows its gzip stream"), "\(run.errors)")
            rows += 1
            try installation.auditor.waitForRows(rows)
            #expect(try installation.auditor.rows == rows)
        }

        @Test func `second 60 is the last microsecond of its minute, and nobody's UUID is refused by name`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let day = try #require(
                installation.auditor.strings(
                    "SELECT to_char(now() AT TIME ZONE 'UTC' - interval '2 days', 'YYYY-MM-DD')"
                ).first)
            let client = try TCPClient(daemon.tcp, acks: "committed")
            for second in ["60Z", "60.5Z", "60.000Z", "60+00:00"] {
                try client.send("{\"event_type\":\"leap\",\"created_at\":\"\(day)T23:59:\(second)\"}")
                try client.send(
                    "{\"conversation_id\":\"\(second)\",\"question\":\"q\",\"response\":\"r\",\"user_id\":\"\(Self.user)\",\"timestamp\":\"\(day)T23:59:\(second)\"}"
                )
            }
            try client.waitForAck(8)
            #expect(client.refusals.isEmpty)
            for table in ["analytics_events", "conversations"] {
                let times = try installation.auditor.strings(
                    "SELECT DISTINCT to_char(created_at AT TIME ZONE 'UTC', 'HH24:MI:SS.US') FROM public.\(table)")
                #expect(times == ["23:59:59.999999"], "\(table)")
            }
            let from = try HTTPClient.get("/v1/events?from=\(day)T23:59:60Z", at: daemon.http)
            #expect(from.text.contains("leap"), "\(from.text)")
            let to = try HTTPClient.get("/v1/events?from=\(day)&to=\(day)T23:59:60.5Z", at: daemon.http)
            #expect(to.status == 200)
            #expect(!to.text.contains("leap"), "\(to.text)")

            for nobody in ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-ffff-ffff-ffffffffffff"] {
                for (field, code) in [("id", "invalid_id"), ("user_id", "invalid_user_id")] {
                    let line = Array("{\"event_type\":\"a\",\"\(field)\":\"\(nobody)\"}".utf8)
                    let answer = try HTTPClient(daemon.http).postEvents(line)
                    #expect(answer.status == 400)
                    #expect(try answer.json.error?.code == code)
                    #expect(try answer.json.error?.message.contains("names nobody") == true, "\(answer.text)")
                }
                let other = try TCPClient(daemon.tcp, acks: "spooled")
                try other.send(
                    "{\"conversation_id\":\"c\",\"question\":\"q\",\"response\":\"r\",\"user_id\":\"\(nobody)\"}")
                try other.waitForAck(1)
                #expect(other.refusals[1]?.code == "invalid_user_id")
            }
        }
    }
}
