import MillraceTestSupport
import Testing

extension EndToEnd {
    struct ConversationConflictTests {
        private static let settings = ["jwt.secret": "\"\(BearerToken.secret)\""]
        private static let users = (1...3).map { "0192b1a4-7c3e-7a51-9f0e-2d6c1b8e4f7\($0)" }
        private static let today = EventFactory.time(EventFactory(seed: 82).now / 86_400_000 * 86_400_000)

        private static func save(_ conversation: String, user: String, time: String? = today) -> String {
            let timestamp = time.map { ",\"timestamp\":\"\($0)\"" } ?? ""
            return
                #"{"conversation_id":"\#(conversation)","question":"why?","response":"so","user_id":"\#(user)"\#(timestamp)}"#
        }

        private static func post(_ line: String, to daemon: DaemonProcess) throws -> HTTPResponse {
            let service = BearerToken(subject: "a service", role: "service_role")
            return try HTTPClient(daemon.http).request(
                "POST", "/api/v1/conversations/save",
                headers: [("Content-Type", "application/json"), service.header], body: Array(line.utf8))
        }

        @Test func `another user's save of the same is a conflict, and the first one stays`() throws {
            let installation = try Installation(settings: Self.settings)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let first = try Self.post(Self.save("c", user: Self.users[0]), to: daemon)
            #expect(first.status == 201, "\(first.text)")
            let other = try Self.post(Self.save("c", user: Self.users[1]), to: daemon)
            #expect(other.status == 409)
            #expect(try other.json.error?.code == "conversation_conflict")
            #expect(try Self.post(Self.save("c", user: Self.users[0]), to: daemon).json.id == first.json.id)
            #expect(try Self.post(Self.save("d", user: Self.users[1]), to: daemon).status == 201)
            // Without a time each is its own.
            for user in Self.users {
                #expect(try Self.post(Self.save("e", user: user, time: nil), to: daemon).status == 201)
            }

            // What came over TCP is known from its table.
            let client = try TCPClient(daemon.tcp, acks: "committed")
            try client.send(Self.save("f", user: Self.users[0]))
            try client.waitForAck(1)
            #expect(try Self.post(Self.save("f", user: Self.users[1]), to: daemon).status == 409)
            #expect(try Self.post(Self.save("f", user: Self.users[1]), to: daemon).status == 409)
            #expect(try Self.post(Self.save("f", user: Self.users[0]), to: daemon).status == 201)
            try auditor.waitForRows(6)
            #expect(
                try auditor.strings(
                    "SELECT user_id::text FROM public.conversations WHERE conversation_id IN ('c', 'f')")
                    == [Self.users[0], Self.users[0]])
            #expect(
                try auditor.strings(
                    "SELECT user_id::text FROM public.conversations WHERE conversation_id = 'e' ORDER BY 1")
                    == Self.users)
            try auditor.verify(daemon)
        }

        @Test func `also while the first one is only in the spool, and after a kill`() throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster, settings: Self.settings)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try cluster.stopImmediately()
            let saves = (0..<20).map { Self.save("c\($0)", user: Self.users[0]) }
            for save in saves { #expect(try Self.post(save, to: daemon).status == 201) }
            #expect(try Self.post(Self.save("c7", user: Self.users[1]), to: daemon).status == 409)
            for _ in 0..<2 {
                try daemon.kill()
                try daemon.start()
                #expect(try Self.post(Self.save("c0", user: Self.users[1]), to: daemon).status == 409)
                #expect(try Self.post(Self.save("c19", user: Self.users[1]), to: daemon).status == 409)
                #expect(try Self.post(saves[19], to: daemon).status == 201)
            }
            try cluster.start()
            try auditor.waitForRows(20)
            #expect(
                try auditor.strings("SELECT DISTINCT user_id::text FROM public.conversations") == [Self.users[0]])
            #expect(try Self.post(Self.save("c3", user: Self.users[1]), to: daemon).status == 409)
            try auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
            try cluster.stop()
        }

        @Test func `the oldest saves are forgotten here, and known from their table`() throws {
            let installation = try Installation(settings: Self.settings.merging(["http.known_saves_max": "4"]) { $1 })
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            for number in 0..<12 {
                #expect(try Self.post(Self.save("c\(number)", user: Self.users[0]), to: daemon).status == 201)
            }
            try auditor.waitForRows(12)
            try daemon.kill()
            try daemon.start()
            try daemon.waitUntil("/readyz")
            for number in [0, 5, 11] {
                #expect(
                    try eventually {
                        try Self.post(Self.save("c\(number)", user: Self.users[1]), to: daemon).status == 409
                    })
            }
            #expect(try auditor.rows == 12)
        }
    }
}
