import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ConversationSaveTests {
        private static let user = "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f70"
        private static let settings = ["jwt.secret": "\"\(BearerToken.secret)\""]

        private static func save(_ conversation: String, user: String = user) -> String {
            """
            {"conversation_id":"\(conversation)","question":"why?","response":"because","user_id":"\(user)",\
            "timestamp":"\(EventFactory(seed: 81).savedAt)","source":"test","metadata":{"n":1.50}}
            """
        }

        private static func post(_ line: String, _ token: BearerToken?, to daemon: DaemonProcess) throws -> HTTPResponse
        {
            try HTTPClient(daemon.http).request(
                "POST", "/api/v1/conversations/save",
                headers: [("Content-Type", "application/json")] + (token.map { [$0.header] } ?? []),
                body: Array(line.utf8))
        }

        @Test func `a save is there once, whichever way and how often it comes`() throws {
            let installation = try Installation(settings: Self.settings)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let token = BearerToken(subject: Self.user)
            let first = try Self.post(Self.save("c1"), token, to: daemon)
            #expect(first.status == 201, "\(first.text)")
            #expect(try first.json.status == "saved")
            let id = try #require(try first.json.id)
            let again = try Self.post(Self.save("c1"), token, to: daemon)
            #expect(again.status == 201)
            #expect(try again.json.id == id)
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(Self.save("c1"))
            try client.waitForAck(1)
            let other = try HTTPClient(daemon.http).postEvents(Array(Self.save("c1").utf8), query: "?ack=committed")
            #expect(try other.json.duplicates == 1)

            try auditor.waitForSettled(4)
            #expect(try auditor.strings("SELECT id::text FROM public.conversations") == [id])
            let input = try InputTable(Array((Self.save("c1") + "\n").utf8), database: installation.database)
            #expect(try input.missingConversations() == 0)
            try auditor.verify(daemon)
        }

        @Test func `only the user and the service role may save`() throws {
            let installation = try Installation(settings: Self.settings)
            let daemon = installation.daemon
            try daemon.start()
            let stranger = BearerToken(subject: "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f71")
            #expect(try Self.post(Self.save("a"), nil, to: daemon).status == 401)
            #expect(try Self.post(Self.save("b"), stranger, to: daemon).status == 403)
            let expired = BearerToken(subject: Self.user, expiresIn: -3600)
            #expect(try Self.post(Self.save("c"), expired, to: daemon).status == 401)
            let forged = BearerToken(subject: Self.user, secret: "another secret, also of 32 bytes or more")
            #expect(try Self.post(Self.save("d"), forged, to: daemon).status == 401)
            let service = BearerToken(subject: "a service", role: "service_role")
            #expect(try Self.post(Self.save("e"), service, to: daemon).status == 201)
            try installation.auditor.waitForRows(1)
            #expect(try installation.auditor.strings("SELECT conversation_id FROM public.conversations") == ["e"])
        }
    }
}

extension EventFactory {
    fileprivate var savedAt: String { Self.time(now - now % 86_400_000) }
}
