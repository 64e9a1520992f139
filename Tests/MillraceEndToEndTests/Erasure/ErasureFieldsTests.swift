import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// Erasure beside `[fields]`: what is treated goes like what is not, and so does what stands for it.
    struct ErasureFieldsTests {
        private static let user = ErasureInstallation.user
        private static let other = ErasureInstallation.other
        private static let word = ErasureInstallation.word

        private static let settings = [
            "fields.encrypt":
                #"["payload.email", "payload.traits", "payload.address.*", "conversations.feedback_given:payload.comment", "question", "response", "metadata.phone"]"#,
            "fields.index": #"["payload.email", "payload.address.*"]"#, "fields.sha256": #"["payload.ip"]"#,
            "fields.mask": #"["payload.phone"]"#, "fields.mask_keep": "4", "fields.drop": #"["payload.password"]"#,
            "erasure.payload_paths":
                #"["email", "traits.name", "address", "ip", "phone", "conversations.feedback_given:comment"]"#,
            "erasure.poll": "\"100ms\"", "jwt.secret": "\"\(BearerToken.secret)\"",
        ]

        private func lines(_ user: String, _ word: String) -> [String] {
            [
                #"{"event_type":"page.viewed","user_id":"\#(user)","payload":{"email":"\#(word)@example.com","ip":"\#(word)","#
                    + #""traits":{"name":"\#(word)"},"address":{"street":"\#(word) 1"},"phone":"\#(word)-0815","#
                    + #""password":"\#(word)","page":"/"}}"#,
                #"{"event_type":"conversations.feedback_given","user_id":"\#(user)","payload":{"id":"\#(user.replacing("4", with: "9"))","#
                    + #""conversation_id":"c","rating":5,"comment":"\#(word)"}}"#,
                #"{"conversation_id":"c \#(word)","question":"\#(word)?","response":"\#(word).","user_id":"\#(user)","#
                    + #""metadata":{"phone":"\#(word)"}}"#,
            ]
        }

        private func refused(_ user: String, _ word: String) -> String {
            #"{"event_type":"page.viewed","user_id":"\#(user)","payload":{"email":"\#(word)"},"more":1}"#
        }

        /// What stands for a user's values: ciphertexts, hashes of the blind index, hashes.
        private func pseudonyms(of user: String, in fields: FieldsInstallation) throws -> Set<String> {
            let texts = try fields.auditor.strings(
                """
                SELECT payload::text FROM public.analytics_events WHERE user_id = '\(user)'
                UNION ALL
                SELECT concat_ws(' ', question, response, metadata) FROM public.conversations WHERE user_id = '\(user)'
                """)
            let pattern = /(mr1\.[\w.-]+|sha256\.[\w.-]+|"[\w-]{22}"|\*\*\*[\w-]{4})/
            return Set(texts.flatMap { $0.matches(of: pattern).map { String($0.1.filter { $0 != "\"" }) } })
        }

        @Test
        func
            `ciphertexts, hashes, masked texts and blind indexes of listed paths go, and refused lines that are sealed`()
            throws
        {
            let fields = try FieldsInstallation(settings: Self.settings, hasKeys: false)
            let auditor = fields.auditor
            for (user, word) in [(Self.user, Self.word), (Self.other, "keptkeptkeptkept")] {
                for line in lines(user, word) { try fields.post(line) }
            }
            let refused = [refused(Self.user, Self.word), refused(Self.other, "keptkeptkeptkept")]
            try keepLetters(refused, in: fields)
            let (gone, stay) = (try pseudonyms(of: Self.user, in: fields), try pseudonyms(of: Self.other, in: fields))
            #expect(gone.count >= 8 && stay.count == gone.count, "\(gone)")
            let sealed = try auditor.strings("SELECT line FROM public.dead_letters ORDER BY dead_at")
            #expect(sealed.count == 2 && sealed.allSatisfy { $0.hasPrefix("mrl1.") }, "\(sealed)")
            let erasure = ErasureInstallation(fields.installation)

            let planned = try erasure.planned(Self.user)
            #expect(planned["dead_letters"] == 1)
            let done = try erasure.eraseAll(Self.user)
            for (name, count) in done where name != "spool_lines" { #expect(planned[name] == count, "\(name)") }
            for text in gone.subtracting(stay) { try erasure.expectNowhere(text) }
            for text in [Self.user, Self.word] { try erasure.expectNowhere(text) }
            let own = try auditor.strings(
                """
                SELECT payload::text
                FROM public.analytics_events
                WHERE event_type = 'page.viewed' AND user_id IS NULL AND payload ? 'page'
                """)
            #expect(
                own == [
                    #"{"ip": "", "page": "/", "email": "", "phone": "", "traits": "", "address": {}, "#
                        + #""millrace_index": {"email": [], "address.*": []}}"#
                ])
            // Another's is as it was.
            #expect(try pseudonyms(of: Self.other, in: fields) == stay)
            let letters = try auditor.strings(
                "SELECT coalesce(line, state) FROM public.dead_letters ORDER BY line NULLS FIRST")
            #expect(letters.count == 2 && letters[0] == "purged" && sealed.contains(letters[1]), "\(letters)")
            try erasure.verify()
        }

        /// Without a greeting nobody is told.
        private func keepLetters(_ lines: [String], in fields: FieldsInstallation) throws {
            let socket = try StreamSocket(fields.daemon.tcp)
            try socket.send(Array(([#"{"event_type":"greeting.none"}"#] + lines).joined(separator: "\n").utf8) + [0x0A])
            let isIn = try eventually {
                try fields.auditor.integer("SELECT count(*) FROM public.dead_letters") >= lines.count
            }
            #expect(isIn)
        }
    }
}
