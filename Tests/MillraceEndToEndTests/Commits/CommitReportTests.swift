import MillracePostgres
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct CommitReportTests {
        private static let settings = ["projections.packs": "[\"workspaces\"]"]
        private static let email = "workspaces_users_email_key"

        private static func user(_ id: Int, email: String? = nil, role: String = "user") -> String {
            Mishap.event(
                "workspaces.user_saved",
                payload: """
                    {"id":\(id),"username":"user\(id)","email":"\(email ?? "user\(id)@example.com")","role":"\(role)"}
                    """, ",\"id\":\"00000000-0000-7000-8000-\(10_000_000 + id)0000\",\"created_at\":\"\(time(id))\"")
        }

        private static let start = EventFactory(seed: 1).now - 3_600_000

        /// Ascends with the number.
        private static func time(_ number: Int) -> String { EventFactory.time(start + Int64(number)) }

        private static func bytes(_ lines: [String]) -> [UInt8] { Array((lines.joined(separator: "\n") + "\n").utf8) }

        private static func post(_ lines: [String], to daemon: DaemonProcess) throws -> HTTPResponse {
            try HTTPClient(daemon.http).postEvents(bytes(lines), query: "?ack=committed")
        }

        private static func hasSpooled(_ lines: Int, _ daemon: DaemonProcess) throws -> Bool {
            try eventually { try daemon.metrics().count("millrace_spool_appended_lines_total") ?? 0 >= lines }
        }

        private static func began(_ installation: Installation) throws {
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            try installation.daemon.start()
            try installation.daemon.waitUntil("/readyz")
        }

        @Test func `each item of a body hears what its own table said, with refused ones between`() throws {
            let installation = try Installation(settings: Self.settings)
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try Self.began(installation)
            try installation.database.connect().execute(
                "ALTER TABLE public.analytics_events ADD CONSTRAINT no_poison CHECK (event_type <> 'poison')")
            let untitled = Mishap.event(
                "workspaces.workspace_saved", payload: #"{"id":1,"user_id":1,"created_at":"2026-01-01T00:00:00Z"}"#)
            let lines = [
                Self.user(1), #"{"event_type":"x","paylod":{}}"#, Self.user(2, email: "user1@example.com"),
                Self.user(3, role: "king"), "no json", Mishap.event("poison"), Self.user(4), untitled,
            ]
            let answer = try Self.post(lines, to: daemon)
            #expect(answer.status == 200, "\(answer.text)")
            let body = try answer.json
            #expect(body.accepted == 6 && body.duplicates == 0)
            #expect(body.rejected?.map(\.index) == [1, 4])
            #expect(
                body.parked?.map(\.words) == [
                    "2 workspaces.users \(Self.email) 23505",
                    "3 workspaces.users workspaces_users_role_check 23514",
                    "7 workspaces.workspaces workspaces_workspaces_title_check 23514",
                ], "\(answer.text)")
            #expect(body.deadLetters?.map(\.words) == ["5 no_poison 23514"])
            #expect(try auditor.integer("SELECT count(*) FROM projections.workspaces_users") == 2)

            let again = try Self.post([Self.user(4), Self.user(2, email: "user1@example.com")], to: daemon).json
            #expect(again.accepted == 2 && again.duplicates == 2)
            #expect(again.parked?.map(\.words) == ["1 workspaces.users \(Self.email) 23505"])
            let plain = try HTTPClient(daemon.http).postEvents(Self.bytes([Self.user(2, email: "user1@example.com")]))
            #expect(plain.text == #"{"accepted":1,"rejected":[]}"#)

            let status = try daemon.run("status", "--json")
            #expect(status.output.contains(#""\#(Self.email)""#), "\(status.output)")
            #expect(try daemon.run("status").output.contains("parked    1 events in workspaces.users: \(Self.email)"))
            #expect(try daemon.run("check").output.contains("parked events: 1 in workspaces."))
            try auditor.verify(daemon)
        }

        @Test func `a line over TCP hears it before its ack, in lines as the client counts them`() throws {
            let installation = try Installation(settings: Self.settings)
            try Self.began(installation)
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            try client.send(Self.bytes([Self.user(1), "no json", Self.user(2, email: "user1@example.com")]))
            try client.waitForAck(3)
            try client.send(Self.bytes(["[]", Self.user(3, role: "king")]))
            try client.send(Self.user(4))
            try client.finish()
            #expect(client.acked == 6)
            #expect(client.refusals.keys.sorted() == [2, 4])
            #expect(
                client.reports == [
                    "3 parked workspaces.users \(Self.email) 23505",
                    "5 parked workspaces.users workspaces_users_role_check 23514",
                ])
            let spooled = try TCPClient(installation.daemon.tcp, acks: "spooled")
            try spooled.send(Self.user(5, role: "king"))
            try spooled.finish()
            #expect(spooled.acked == 1 && spooled.reports.isEmpty)
        }

        @Test func `of many parked lines some are named and all are counted`() throws {
            let installation = try Installation(
                settings: Self.settings.merging(
                    ["tcp.reported_lines_max": "5", "http.rejected_items_max": "7"]) { $1 })
            try Self.began(installation)
            let lines = (1...300).map { Self.user($0, role: "king") }
            let client = try TCPClient(installation.daemon.tcp, acks: "committed")
            try client.send(Self.bytes(lines))
            try client.finish()
            #expect(client.acked == 300)
            let named = client.reports.compactMap { $0.split(separator: " ").first.flatMap { Int($0) } }
            let others = named.filter { line in !client.totals.contains { $0[0] <= line && line <= $0[1] } }
            #expect(client.totals.reduce(0) { $0 + $1[2] } + others.count == 300)
            #expect(client.totals.allSatisfy { $0[2] > 5 } && !client.totals.isEmpty)
            #expect(named.count <= 5 * client.totals.count + others.count)
            let answer = try Self.post((301...330).map { Self.user($0, role: "king") }, to: installation.daemon).json
            #expect(answer.parked?.map(\.index) == Array(0..<7))
            #expect(answer.parkedTotal == 30)
        }

        @Test func `clients that share a batch hear of their own lines alone`() throws {
            let installation = try Installation(settings: Self.settings)
            try Self.began(installation)
            let threads = (0..<8).map { number in
                let (daemon, isBad) = (installation.daemon, number.isMultiple(of: 2))
                return BackgroundThread {
                    for round in 0..<10 {
                        let id = 1000 * number + round
                        let answer = try Self.post([Self.user(id, role: isBad ? "king" : "user")], to: daemon)
                        guard try answer.json.parked?.map(\.index) == (isBad ? [0] : []) else {
                            throw UnexpectedAnswer(text: answer.text)
                        }
                    }
                }
            }
            for thread in threads { try thread.join() }
            try installation.auditor.verify(installation.daemon)
        }

        @Test
        func
            `who waits while PostgreSQL is away hears it once it is back, and who is killed meanwhile on asking again`()
            throws
        {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(cluster: cluster, settings: Self.settings)
            let daemon = installation.daemon
            try Self.began(installation)
            #expect(try Self.post([Self.user(1)], to: daemon).status == 200)
            try cluster.stopImmediately()
            let bad = Self.user(2, email: "user1@example.com")
            let waiting = try TCPClient(daemon.tcp, acks: "committed")
            try waiting.send(bad)
            let request = BackgroundThread { () throws in
                let answer = try Self.post([Self.user(3, role: "king"), Self.user(4)], to: daemon)
                let expected = ["0 workspaces.users workspaces_users_role_check 23514"]
                guard answer.status == 200, try answer.json.parked?.map(\.words) == expected else {
                    throw UnexpectedAnswer(text: answer.text)
                }
            }
            #expect(try Self.hasSpooled(4, daemon))
            try cluster.start()
            try request.join()
            try waiting.waitForAck(1)
            #expect(waiting.reports == ["1 parked workspaces.users \(Self.email) 23505"])

            try cluster.stopImmediately()
            let killed = try TCPClient(daemon.tcp, acks: "committed")
            let late = Self.user(5, email: "user1@example.com")
            try killed.send(late)
            #expect(try Self.hasSpooled(5, daemon))
            try daemon.kill()
            try? killed.finish()
            #expect(killed.acked == 0)
            try cluster.start()
            try daemon.start()
            let again = try TCPClient(daemon.tcp, acks: "committed")
            try again.send(late)
            try again.waitForAck(1)
            #expect(again.reports == ["1 parked workspaces.users \(Self.email) 23505"])
            try installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
            try cluster.stop()
        }

        @Test(arguments: PostgresProxy.Cut.allCases)
        func `a commit whose answer was lost is never told as stored where it is parked`(cut: PostgresProxy.Cut) throws
        {
            let proxy = try PostgresProxy(socketDirectory: TestCluster.shared.cluster.socketDirectory)
            let installation = try Installation("cut \(cut)", settings: Self.settings) {
                proxy.connectionString(database: $0.name)
            }
            let daemon = installation.daemon
            try Self.began(installation)
            #expect(try Self.post([Self.user(1)], to: daemon).status == 200)
            for round in 2..<5 {
                proxy.arm(cut)
                let answer = try Self.post(
                    [Self.user(round, email: "user1@example.com"), Self.user(round + 10)], to: daemon)
                if answer.status == 200 {
                    #expect(
                        try answer.json.parked?.map(\.words) == ["0 workspaces.users \(Self.email) 23505"],
                        "\(answer.text)")
                } else {
                    #expect(answer.status == 202, "\(answer.text)")
                }
            }
            proxy.disarm()
            #expect(proxy.cuts == 3)
            try installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
            try proxy.stop()
        }
    }
}
