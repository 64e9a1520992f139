import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Who reads encrypted values, and finds rows by them, over rotations of the key.
    struct FieldReadingTests {
        private static let settings = [
            "fields.encrypt": #"["payload.contact.email", "payload.card", "question", "response", "metadata.phone"]"#,
            "fields.index": #"["payload.contact.email", "metadata.phone"]"#,
            "fields.sha256": #"["payload.ip"]"#, "fields.mask": #"["payload.name"]"#,
            "fields.drop": #"["payload.password"]"#,
            "auth.refresh_interval": #""100ms""#,
        ]

        private static func event(_ number: Int, email: String) -> String {
            #"{"event_type":"signup","payload":{"n":\#(number),"contact":{"email":"\#(email)"},"card":{"no":4711},"#
                + #""ip":"10.0.0.1","name":"Ada","password":"x"}}"#
        }

        @Test func `only the scope decrypt reads encrypted values, and finds rows by them`() throws {
            let fields = try FieldsInstallation(settings: Self.settings)
            try fields.post(Self.event(1, email: "ada@example.org"))
            try fields.rotate(id: "second")
            let reload = try fields.daemon.run(
                ["reload"],
                environment: ["MILLRACE_KEY": try MadeKey.create(on: fields.daemon, "--scope", "admin").key ?? ""])
            #expect(
                reload.isSuccess && reload.output.contains("encrypts with key second, opens first too"), "\(reload)")
            try fields.post(Self.event(2, email: "ada@example.org"))
            try fields.post(Self.event(3, email: "eva@example.org"))

            let keys = try fields.auditor.strings(
                "SELECT split_part(payload ->> 'card', '.', 2) FROM public.analytics_events WHERE event_type = 'signup' "
                    + "ORDER BY payload -> 'n'")
            #expect(keys == ["first", "second", "second"])
            let sealed = try fields.get("/v1/events?type=signup", key: fields.read)
            #expect(sealed.status == 200 && !sealed.text.contains("@example") && !sealed.text.contains("4711"))
            #expect(!sealed.text.contains("password") && !sealed.text.contains("Ada") && sealed.text.contains("***"))
            let plain = try fields.get("/v1/events?type=signup", key: fields.decrypt)
            #expect(plain.text.components("\"email\":").count == 4 && !plain.text.contains("mr1."), "\(plain.text)")
            #expect(plain.text.contains("eva@example.org") && plain.text.contains("4711"))

            let found = try fields.get(
                "/v1/events?index=%7B%22contact.email%22%3A%22ada%40example.org%22%7D", key: fields.decrypt)
            #expect(
                found.text.components("ada@example.org").count == 3 && !found.text.contains("eva@"), "\(found.text)")
            let none = try fields.get("/v1/events?index=%7B%22contact.email%22%3A%22ada%22%7D", key: fields.decrypt)
            #expect(none.text.contains(#""items":[]"#), "\(none.text)")
            let guess = try fields.get(
                "/v1/events?index=%7B%22contact.email%22%3A%22ada%40example.org%22%7D", key: fields.read)
            #expect(guess.status == 403)
            let unknown = try fields.get("/v1/events?index=%7B%22card%22%3A1%7D", key: fields.decrypt)
            #expect(unknown.status == 400 && unknown.text.contains("fields.index"))
            let metrics = try HTTPClient.get("/metrics", at: fields.daemon.http).text
            #expect(metrics.contains(#"millrace_intake_fields_treated_total{action="encrypt"} 6"#), "\(metrics)")
            #expect(try fields.daemon.stop() == .status(0))
        }

        @Test func `check and start say what is wrong with keys and paths, and which projections see ciphertext`()
            throws
        {
            let scratch = try ScratchDirectory()
            var settings = [
                "fields.encrypt": #"["payload.email", "question"]"#, "fields.keys_file": "\"\(scratch.path)/none\"",
                "projections.packs": #"["commerce"]"#,
            ]
            let daemon = try Installation("fieldsCheck", settings: settings).daemon
            let missing = try daemon.run("check")
            #expect(missing.exit == .status(1) && missing.output.contains("FAIL  fields: "), "\(missing.output)")
            #expect(missing.output.contains("fields keys"))
            #expect(try daemon.run("migrate", "up").isSuccess)
            try daemon.launch()
            #expect(try daemon.process.waitForExit(within: .seconds(20)) == .status(2))
            #expect(daemon.log.contains("fields.keys_file"))

            let made = try CommandRun(["fields", "keys"], in: scratch)
            try TextFile.write(made.output, to: scratch.path + "/keys")
            settings["fields.keys_file"] = "\"\(scratch.path)/keys\""
            try daemon.change(settings)
            let found = try daemon.run("check").output
            #expect(found.contains("ok    fields: encrypts with key "), "\(found)")
            #expect(found.contains("warn  fields in projections: ") && found.contains("commerce."), "\(found)")
            let secrets = made.output.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap {
                $0.split(separator: " ").last
            }
            #expect(secrets.count == 4 && !secrets.contains { found.contains($0) || daemon.log.contains($0) })
        }

        @Test func `a save is kept once over retries, restarts and a new key, and reads as it was sent`() throws {
            let fields = try FieldsInstallation(settings: Self.settings)
            let first = try fields.save("Why so blue?", response: "Rayleigh")
            #expect(eventually { (try? fields.auditor.conversations) == 1 })
            #expect(try fields.save("Why so blue?") == first)
            #expect(try fields.save("Why so red?") != first)
            try fields.rotate(id: "second")
            try fields.daemon.kill()
            try fields.daemon.start()
            #expect(try fields.save("Why so blue?") == first)
            let line =
                #"{"conversation_id":"c","question":"Why so blue?","response":"again","timestamp":"2026-11-01T10:00:00Z","#
                + #""user_id":"0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70","metadata":{"phone":"555"}}"#
            try fields.post(line)
            try fields.post(line.replacing("10:00", with: "11:00"))
            #expect(try fields.auditor.conversations == 3)
            let stored = try fields.auditor.strings("SELECT question || response FROM public.conversations")
            #expect(stored.allSatisfy { $0.hasPrefix("mr1.") && $0.contains(/[a-z0-9_-]{22}mr1\./.ignoresCase()) })
            // An encrypted text is a few words of the full-text index that nobody looks for, as chance cuts them.
            let words = try fields.auditor.integer(
                "SELECT max(length(public.conversation_document(question, response))) FROM public.conversations")
            #expect(words <= 60, "\(words) words of an encrypted text are in the full-text index")

            let read = try fields.get("/v1/conversations?conversation_id=c", key: fields.decrypt)
            #expect(read.text.contains("Why so blue?") && read.text.contains("Rayleigh"), "\(read.text)")
            let found = try fields.get(
                "/v1/conversations?conversation_id=c&index=%7B%22phone%22%3A%22555%22%7D", key: fields.decrypt)
            #expect(found.text.components("Why so").count == 2, "\(found.text)")
            #expect(try fields.daemon.stop() == .status(0))
        }
    }
}

extension String {
    fileprivate func components(_ separator: String) -> [Substring] {
        split(separator: separator, omittingEmptySubsequences: false)
    }
}
