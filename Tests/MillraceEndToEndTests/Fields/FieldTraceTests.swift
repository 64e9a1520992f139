import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// What is encrypted, masked, hashed or dropped lies in no file of the daemon or of PostgreSQL.
    struct FieldTraceTests {
        private static let settings = [
            "fields.encrypt": #"["payload.a", "payload.list.*.a", "question", "response", "metadata.a"]"#,
            "fields.index": #"["payload.a"]"#, "fields.sha256": #"["payload.b"]"#, "fields.mask": #"["payload.c"]"#,
            "fields.drop": #"["payload.d"]"#, "log.level": #""trace""#, "latency.log": #""latency.log""#,
            "limits.payload_bytes": #""4KiB""#, "jwt.secret": "\"\(BearerToken.secret)\"",
        ]

        /// The files with the word.
        private static func grep(_ word: String, in directory: String) throws -> String {
            let scratch = try ScratchDirectory()
            let process = try SpawnedProcess(
                "/usr/bin/grep", ["-ralF", word, directory], mark: scratch.path, output: scratch.path + "/found",
                errors: scratch.path + "/errors")
            _ = try process.waitForExit(within: .seconds(60))
            return TextFile.read(scratch.path + "/found")
        }

        @Test func `no file has a word of what is treated: spool, tables, WAL, logs, dead letters`() throws {
            let cluster = try TestCluster(isDurable: true)
            let fields = try FieldsInstallation(cluster: cluster, settings: Self.settings, hasKeys: false)
            let word = SecretSearch.word("field")
            let daemon = fields.daemon
            let client = HTTPClient(daemon.http)
            let user = #""user_id":"0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70""#
            let values =
                #"{"a":"\#(word)","b":"\#(word)","c":"\#(word)","d":{"x":"\#(word)"},"list":[{"\u0061":"\#(word)"}]}"#
            let event = #"{"event_type":"traced","payload":\#(values)}"#
            let save =
                #"{"conversation_id":"c","question":"\#(word)","response":"\#(word) \#(word)","#
                + #"\#(user),"metadata":{"a":"\#(word)"}}"#
            try fields.post(event)
            try fields.post("[\n\(event),\n\(save)]")
            _ = try fields.save(word, response: word)
            // Without a greeting: what is refused is kept in dead letters.
            let socket = try StreamSocket(daemon.tcp)
            let refused = [
                #"{"event_type":"traced","payload":{"a":"\#(word)"}"#, #"{"event_type":"x","\#(word)":1}"#,
                #"{"event_type":"x","user_id":"\#(word)"}"#, word,
                #"{"event_type":"x","payload":{"a":"\#(word)\#(String(repeating: " ", count: 5000))"}}"#,
            ]
            let lines = [event, save] + refused
            try socket.send(Array((lines.joined(separator: "\n") + "\n").utf8))
            let isIn = eventually {
                (try? fields.auditor.integer("SELECT count(*) FROM public.dead_letters")) == refused.count
                    && (try? fields.auditor.conversations) == 3
            }
            #expect(isIn)
            // The whole pages go into the log again after a checkpoint.
            for _ in 0..<2 {
                try cluster.superuser().execute("CHECKPOINT; SELECT pg_switch_wal()")
                try fields.post(event)
            }
            let letters = try fields.auditor.strings("SELECT message || line FROM public.dead_letters")
            #expect(letters.allSatisfy { $0.contains("kept encrypted") && $0.contains("mrl1.first.") }, "\(letters)")
            let search = ["/metrics", "/readyz", "/debug/latency"].map { (try? client.request("GET", $0).text) ?? "" }
            #expect(!search.joined().contains(word) && !daemon.log.contains(word))
            try daemon.kill()
            try cluster.stop()
            for directory in [daemon.directory, cluster.cluster.directory] {
                let files = try Self.grep(word, in: directory)
                #expect(files.isEmpty, "\(files)")
            }
            // The search finds what is there.
            #expect(try !Self.grep("traced", in: cluster.cluster.directory + "/postgres/data/pg_wal").isEmpty)
            #expect(try !Self.grep("traced", in: daemon.directory + "/spool").isEmpty)

            try cluster.start()
            try daemon.start()
            let small = try daemon.run("dead-letters", "retry", "--all", "--json", "--set", "limits.payload_bytes=1MiB")
            #expect(small.output.contains(word), "the report of a retry says what is wrong: \(small)")
            let codes = try fields.auditor.strings(
                "SELECT code || message || line FROM public.dead_letters WHERE state = 'open'")
            #expect(codes.count == 4 && !codes.joined().contains(word), "\(codes)")
            let retried = try fields.auditor.strings(
                "SELECT payload::text FROM public.analytics_events WHERE event_type = 'x'")
            try TextFile.write(retried.joined(separator: "\n"), to: daemon.directory + "/rows")
            #expect(try daemon.run("fields", "open", daemon.directory + "/rows").output.contains(word), "\(retried)")
            let payloads = try fields.auditor.strings("SELECT payload::text FROM public.analytics_events")
            #expect(!payloads.joined().contains(word))
            #expect(try daemon.stop() == .status(0))
            try cluster.stop()
        }
    }
}
