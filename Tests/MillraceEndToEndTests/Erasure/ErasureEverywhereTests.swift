import FoundationEssentials
import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    /// A text of the user's in every place where there may be one, then `users erase`, then grep.
    struct ErasureEverywhereTests {
        private static let user = ErasureInstallation.user
        private static let other = ErasureInstallation.other
        private static let word = ErasureInstallation.word
        private static let digits = user.replacing("-", with: "")

        /// Lines that the intake refuses, for another reason each.
        private static let refused = [
            #"{"event_type":"page.viewed","user_id":"\#(user)","payload":{"email":"\#(word)"}"#,
            #"{"event_type":"page.viewed","user_id":"\#(digits)","payload":{"email":"\#(word)"},"more":1}"#,
            #"{"event_type":"workspaces.message_sent","payload":{"id":9,"workspace_id":71,"content":"\#(word)"},"x":1}"#,
            #"{"event_type":"page.viewed","user_id":"customer-17","payload":{"email":"\#(word)"}}"#,
            #"{"conversation_id":"c","question":"\#(word)","response":"","user_id":"\#(user)","timestamp":"no"}"#,
        ]

        /// Another's, of the same tenant.
        private static let kept = [
            #"{"event_type":"page.viewed","user_id":"\#(other)","payload":{"email":"kept"}"#,
            #"{"event_type":"workspaces.message_sent","payload":{"id":9,"workspace_id":81,"content":"kept"},"x":1}"#,
        ]

        /// What the tables refuse, or park.
        private static let parked = [
            #"{"event_type":"commerce.order_saved","created_at":"2026-11-21T09:00:00Z","payload":{"id":"no id","#
                + #""user_id":"\#(user)","total_amount":"no number"}}"#,
            #"{"event_type":"commerce.user_saved","created_at":"2026-11-21T09:00:00Z","payload":{"id":"\#(user)","#
                + #""email":"\#(word)@example.com","name":"\#(word)","role":"\#(word)"}}"#,
        ]

        private func fill(_ erasure: ErasureInstallation) throws {
            let (user, word) = (Self.user, Self.word)
            try erasure.send(
                erasure.lines(user, word, number: 1) + erasure.lines(Self.other, "kept", number: 2)
                    + erasure.numbered(7, word) + erasure.numbered(8, "kept"))
            // Escapes, a name, an id in an id, a nested text.
            try erasure.send([
                erasure.event(
                    "page.viewed",
                    #"{"\u0065mail":"\#(word)","traits":{"a":["\#(word)",{"b":"\#(word)"}]},"\#(user)":1,"phone":17}"#,
                    user: user, "2026-11-22T09:00:00Z"),
                #"{"event_type":"page.viewed","id":"\#(user)","created_at":"2026-11-22T09:00:01Z","payload":{}}"#,
                erasure.event(
                    "page.shared", #"{"to":"\u0038\#(user.dropFirst())","n":"\#(Self.digits.uppercased())"}"#,
                    user: Self.other, "2026-11-22T09:00:02Z"),
                // In a month that is away: of a row that goes, by its key alone.
                erasure.event(
                    "workspaces.workspace_changed", #"{"id":71,"description":"\#(word)"}"#, user: nil,
                    "2026-10-05T09:00:00Z"),
                erasure.event(
                    "conversations.status_changed", #"{"conversation_id":"d1","status":"archived"}"#, user: user,
                    "2026-11-22T09:00:03Z"),
                #"{"conversation_id":"of \#(user)","question":"q","response":"r","user_id":"\#(Self.other)","#
                    + #""timestamp":"2026-11-22T09:00:04Z","metadata":{"m":"\#(user)"}}"#,
            ])
            try erasure.sendWithoutGreeting(Self.refused + Self.kept, letters: Self.refused.count + Self.kept.count)
            try erasure.send(Self.parked)
            try erasure.installation.database.connect().execute(
                """
                INSERT INTO public.password_hashes (pack, user_id, hash, saved_at)
                VALUES ('commerce', '\(user)', '\(word)', now()), ('workspaces', '7', '\(word)', now())
                """)
        }

        @Test
        func `no text and no id of an erased user is in a table, letter, segment, dump, or month that comes back`()
            throws
        {
            let scratch = try ScratchDirectory()
            let erasure = try ErasureInstallation(
                settings: [
                    "archive.directory": "\"\(scratch.path)\"", "partitions.quiet_hours": "\"00:00-24:00\"",
                    "partitions.detach_wait": "\"20s\"",
                ])
            try fill(erasure)
            let auditor = erasure.auditor
            let parked = try auditor.integer("SELECT count(*) FROM projections.parked")
            #expect(parked > 0)
            let letters = try auditor.integer("SELECT count(*) FROM public.dead_letters")
            // October is away: in its archive as it was.
            let retired = try erasure.daemon.run("partitions", "retire", "2026-10", "--json")
            #expect(retired.isSuccess, "\(retired.output) \(retired.errors)")
            let places = try erasure.places(of: Self.word)
            #expect(places.count > 12, "\(places)")
            try erasure.installation.database.connect().execute(
                """
                INSERT INTO public.outbox (event_type, user_id, payload)
                VALUES ('page.viewed', '\(Self.user)', '{"email": "\(Self.word)"}'),
                    ('workspaces.message_sent', NULL, '{"id": 99, "workspace_id": 71, "role": "USER", "content": "\(Self.word)"}')
                """)

            try erasure.eraseAll(Self.user)
            try erasure.eraseAll("--external", "7")
            try erasure.eraseAll("--external", "customer-17")
            for text in [Self.user, Self.digits, Self.word] { try erasure.expectNowhere(text) }
            try erasure.verify()
            // Letters stay as a number, and another's as they are.
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters") == letters)
            #expect(
                try auditor.integer("SELECT count(*) FROM public.dead_letters WHERE line LIKE '%kept%'")
                    == Self.kept.count)
            #expect(try auditor.integer("SELECT count(*) FROM public.password_hashes") == 0)

            let restored = try erasure.daemon.run("partitions", "restore", "2026-10", "--json")
            #expect(restored.isSuccess, "\(restored.output) \(restored.errors)")
            #expect(
                try auditor.integer(
                    "SELECT count(*) FROM public.analytics_events WHERE created_at < '2026-11-01' AND payload @> '{\"page\": \"/a\"}'"
                ) == 2)
            for text in [Self.user, Self.digits, Self.word] { try erasure.expectNowhere(text) }
            try erasure.verify()
            // A new archive of it has nothing either.
            let again = try erasure.daemon.run("partitions", "retire", "2026-10", "--json")
            #expect(again.isSuccess, "\(again.output) \(again.errors)")
            let archived = try ErasureInstallation.shell(
                "find '\(scratch.path)' -name '*.zst' | while read f; do zstd -dc \"$f\"; done")
            #expect(archived.contains("page.viewed") && archived.contains("kept"))
            #expect(!archived.contains(Self.word) && !archived.lowercased().contains(Self.user))
        }
    }
}
