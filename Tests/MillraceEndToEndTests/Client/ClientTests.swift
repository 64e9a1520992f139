import FoundationEssentials
import Logging
import MillraceClient
import MillraceTestSupport
import ServiceLifecycle
import Testing

extension EndToEnd {
    /// The package product `MillraceClient` against the real daemon. The client runs on Swift's own threads, for the tests
    /// block theirs.
    struct ClientTests {
        typealias Event = MillraceClient.Event

        private static func configuration(
            _ endpoint: Endpoint, key: String? = nil, tls: MillraceClient.Configuration.TLS? = nil
        ) throws -> MillraceClient.Configuration {
            guard case .port(let port) = endpoint else { throw TestSupportError(message: "no port") }
            var configuration = MillraceClient.Configuration(host: "127.0.0.1", port: port, tls: tls, key: key)
            configuration.backoffMin = .milliseconds(10)
            configuration.backoffMax = .milliseconds(200)
            return configuration
        }

        /// What `send` throws; nil where it throws nothing.
        private static func failure(
            of configuration: MillraceClient.Configuration, sending type: String = "client.refused"
        ) async throws -> MillraceClientError? {
            let client = try MillraceClient(configuration)
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask(executorPreference: globalConcurrentExecutor) { try? await client.run() }
                defer { group.cancelAll() }
                do {
                    try await client.send(Event(type))
                    return nil
                } catch let error as MillraceClientError {
                    return error
                }
            }
        }

        private static func numbers(_ auditor: Auditor) throws -> [String] {
            try auditor.strings(
                """
                SELECT concat_ws(' ', count(*), count(DISTINCT payload->>'n'), max((payload->>'n')::int))
                FROM public.analytics_events WHERE event_type = 'client.sent'
                """)
        }

        @Test(arguments: [MillraceClient.Configuration.Acknowledgement.spooled, .committed])
        func `answers are cut and the daemon is killed: each event is there once`(
            acks: MillraceClient.Configuration.Acknowledgement
        ) async throws {
            let (enqueuedCount, cutsMax) = (3000, 12)
            let installation = try Installation("client_cuts_\(acks.rawValue)")
            let daemon = installation.daemon
            try daemon.start()
            let seed = SeededGenerator.seed("MILLRACE_CLIENT_SEED")
            let proxy = try CuttingProxy(to: daemon.tcp, cutsMax: cutsMax, answerBytes: 60..<400, seed: seed)
            var configuration = try Self.configuration(proxy.endpoint)
            configuration.acknowledgement = acks
            configuration.bufferEventsMax = 100
            let client = try MillraceClient(configuration)
            let (report, count) = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask(executorPreference: globalConcurrentExecutor) { try await client.run() }
                for part in 0..<4 {
                    group.addTask(executorPreference: globalConcurrentExecutor) {
                        for n in stride(from: part, to: enqueuedCount, by: 4) {
                            let event = try Event("client.sent", payload: ["n": .integer(n)])
                            if n % 10 == part { try await client.send(event) } else { try await client.enqueue(event) }
                        }
                    }
                }
                try installation.auditor.waitForRows(enqueuedCount / 4)
                try daemon.kill()
                try daemon.start()
                for _ in 0..<4 { try await group.next() }
                let report = try await client.flush()
                // One answer may be for many events, and then there are too few of them for all the cuts.
                var count = enqueuedCount
                while proxy.cutCount < cutsMax {
                    try await client.send(Event("client.sent", payload: ["n": .integer(count)]))
                    count += 1
                }
                client.shutdown()
                try await group.waitForAll()
                return (report, count)
            }
            #expect(report.refusedCount == 0 && report.acceptedCount > enqueuedCount / 2)
            #expect(proxy.cutCount == cutsMax)
            #expect(client.undelivered.isEmpty)
            try installation.auditor.waitForRows(count)
            #expect(try Self.numbers(installation.auditor) == ["\(count) \(count) \(count - 1)"])
            try installation.auditor.verify(daemon)
            try proxy.stop()
            #expect(try daemon.stop() == .status(0))
        }

        @Test func `what is refused is told with the daemon's code, and its neighbours go in`() async throws {
            let installation = try Installation("client_refusals")
            try installation.daemon.start()
            let told = Told()
            var configuration = try Self.configuration(installation.daemon.tcp)
            configuration.onRefused = { told.add($0.code) }
            let settings = configuration
            let deep = try Event("client.deep", encoding: Nested(depth: 70))
            let report = try await withoutBlocking {
                try await MillraceClient.withClient(settings) { client in
                    do {
                        try await client.send(Event(""))
                        Issue.record("an event without a type")
                    } catch let error as MillraceClientError {
                        #expect(error.code == .refused && error.reason == "invalid_event_type", "\(error)")
                    }
                    for n in 0..<50 {
                        try await client.enqueue(Event("client.sent", payload: ["n": .integer(n)]))
                        if n == 20 { try await client.enqueue(deep) }
                    }
                    // The same id and time again counts once.
                    let twice = try Event("client.sent", payload: ["n": 50])
                    try await client.send(twice)
                    try await client.send(twice)
                    return try await client.flush()
                }
            }
            #expect(report.acceptedCount == 50 && report.refusedCount == 1)
            #expect(report.refusals.map(\.event) == [deep])
            #expect(told.codes == report.refusals.map(\.code))
            try installation.auditor.waitForSettled(52)
            #expect(try Self.numbers(installation.auditor) == ["51 51 50"])
            try installation.auditor.verify(installation.daemon)
        }

        @Test func `what a projection does not take is in the receipt of who waits for the commit`() async throws {
            let installation = try Installation("client_parked", settings: ["projections.packs": "[\"workspaces\"]"])
            #expect(try installation.daemon.run("migrate", "up").isSuccess)
            try installation.daemon.start()
            try installation.daemon.waitUntil("/readyz")
            var configuration = try Self.configuration(installation.daemon.tcp)
            configuration.acknowledgement = .committed
            let settings = configuration
            let receipts = try await withoutBlocking {
                try await MillraceClient.withClient(settings) { client in
                    var receipts: [MillraceClient.Receipt] = []
                    for (id, role) in [(1, "user"), (2, "king")] {
                        let user: [String: MillraceClient.JSONValue] = [
                            "id": .integer(id), "username": .string(role), "email": .string("\(role)@example.com"),
                            "role": .string(role),
                        ]
                        receipts.append(try await client.send(Event("workspaces.user_saved", payload: user)))
                    }
                    return receipts
                }
            }
            #expect(receipts.first?.reports == [])
            let report = receipts.last?.reports.first
            #expect(report?.fate == .parked && report?.projection == "workspaces.users")
            #expect(report?.constraint == "workspaces_users_role_check" && report?.sqlState == "23514")
        }

        @Test func `a key that opens nothing ends the client with the daemon's reason, and so does its revocation`()
            async throws
        {
            let installation = try Installation("client_keys")
            let daemon = installation.daemon
            try daemon.start()
            let made = try MadeKey.create(on: daemon, "--scope", "write")
            let key = try #require(made.key)
            let reading = try #require(try MadeKey.create(on: daemon, "--scope", "read").key)
            #expect(eventually { daemon.status(key: key) == 202 })
            for (shown, reason) in [
                (nil, "unauthenticated"), (String(key.dropLast()) + "0", "unauthenticated"), (reading, "forbidden"),
            ] {
                let error = try await Self.failure(of: Self.configuration(daemon.tcp, key: shown))
                #expect(error?.code == .turnedAway && error?.reason == reason, "\(String(describing: error))")
                #expect(error?.description.contains(shown ?? key) == false)
            }
            let client = try MillraceClient(Self.configuration(daemon.tcp, key: key))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask(executorPreference: globalConcurrentExecutor) {
                    do {
                        try await client.run()
                        Issue.record("the key was revoked")
                    } catch let error as MillraceClientError {
                        #expect(error.reason == "unauthenticated", "\(error)")
                    }
                }
                try await client.send(Event("client.sent", payload: ["n": 0]))
                #expect(try daemon.run("keys", "revoke", made.id).isSuccess)
                #expect(eventually { daemon.status(key: key) == 401 })
                do {
                    // The connection ends within a moment; until then what is sent is refused or not answered.
                    while true { try await client.send(Event("client.late")) }
                } catch let error as MillraceClientError {
                    #expect(error.code == .turnedAway && error.reason == "unauthenticated", "\(error)")
                }
                try await group.waitForAll()
            }
            #expect(!daemon.log.contains(key))
        }

        @Test func `TLS is believed by the authority that is given, and by no other`() async throws {
            let tls = try TLSInstallation("client_tls")
            try tls.daemon.start()
            let authority = MillraceClient.Configuration.TLS(authorities: tls.authority.certificate)
            try await withoutBlocking {
                try await MillraceClient.withClient(Self.configuration(tls.tcp, tls: authority)) { client in
                    for n in 0..<500 { try await client.enqueue(Event("client.sent", payload: ["n": .integer(n)])) }
                }
            }
            try tls.installation.auditor.waitForRows(500)
            #expect(try Self.numbers(tls.installation.auditor) == ["500 500 499"])
            let stranger = try TestAuthority()
            for tlsSettings in [.init(authorities: stranger.certificate), MillraceClient.Configuration.TLS()] {
                let error = try await Self.failure(of: Self.configuration(tls.tcp, tls: tlsSettings))
                #expect(error?.code == .tlsFailed, "\(String(describing: error))")
            }
            let plain = try await Self.failure(of: Self.configuration(tls.tcp))
            #expect(plain?.reason == "tls_required", "\(String(describing: plain))")

            let daemon = try Installation("client_no_tls").daemon
            try daemon.start()
            let error = try await Self.failure(of: Self.configuration(daemon.tcp, tls: authority))
            #expect(error?.code == .tlsFailed, "\(String(describing: error))")
            let http = try await Self.failure(of: Self.configuration(daemon.http))
            #expect(http?.code == .foreignServer || http?.code == .turnedAway, "\(String(describing: http))")
        }

        @Test func `a daemon that is away is waited for, within the buffer's bounds`() async throws {
            let installation = try Installation("client_away")
            var waiting = try Self.configuration(installation.daemon.tcp)
            waiting.bufferEventsMax = 5
            var refusing = waiting
            refusing.whenFull = .refuse
            let (first, second) = (try MillraceClient(waiting), try MillraceClient(refusing))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for client in [first, second] {
                    group.addTask(executorPreference: globalConcurrentExecutor) { try await client.run() }
                }
                for n in 0..<5 { try await second.enqueue(Event("client.sent", payload: ["n": .integer(n)])) }
                do {
                    try await second.enqueue(Event("client.late"))
                    Issue.record("the buffer is full")
                } catch let error as MillraceClientError {
                    #expect(error.code == .bufferFull)
                }
                group.addTask(executorPreference: globalConcurrentExecutor) {
                    for n in 5..<500 { try await first.enqueue(Event("client.sent", payload: ["n": .integer(n)])) }
                    try await first.flush()
                    first.shutdown()
                }
                try installation.daemon.start()
                try installation.auditor.waitForRows(500)
                second.shutdown()
                try await group.waitForAll()
            }
            #expect(try Self.numbers(installation.auditor) == ["500 500 499"])
            try installation.auditor.verify(installation.daemon)
        }

        @Test func `a shutdown of the service group delivers, and what it can't deliver is handed back`() async throws {
            let installation = try Installation("client_shutdown")
            var configuration = try Self.configuration(installation.daemon.tcp)
            configuration.shutdownTimeout = .milliseconds(300)
            // Nobody is there: the time is up, and the events are the caller's again.
            let first = try MillraceClient(configuration)
            let error = await #expect(throws: MillraceClientError.self) {
                try await withoutBlocking {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await first.run() }
                        for n in 0..<50 { try await first.enqueue(Event("client.sent", payload: ["n": .integer(n)])) }
                        first.shutdown()
                        try await group.waitForAll()
                    }
                }
            }
            #expect(error?.code == .undelivered)
            #expect(first.undelivered.count == 50)
            await #expect(throws: MillraceClientError.self) { try await first.send(Event("client.late")) }

            try installation.daemon.start()
            configuration.shutdownTimeout = .seconds(60)
            let second = try MillraceClient(configuration)
            let group = ServiceGroup(services: [second], logger: .init(label: "client.test"))
            try await withoutBlocking {
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try await group.run() }
                    // Some of them twice: they count once.
                    for event in first.undelivered + first.undelivered.prefix(7) { try await second.enqueue(event) }
                    await group.triggerGracefulShutdown()
                    try await tasks.waitForAll()
                }
            }
            #expect(second.undelivered.isEmpty)
            try installation.auditor.waitForSettled(57)
            #expect(try Self.numbers(installation.auditor) == ["50 50 49"])
        }

        @Test func `a key's rate slows the client down, and nothing is refused or lost`() async throws {
            let installation = try Installation("client_rate")
            let daemon = installation.daemon
            try daemon.start()
            let key = try #require(
                try MadeKey.create(on: daemon, "--scope", "write", "--rate", "500", "--burst", "500").key)
            #expect(eventually { daemon.status(key: key) == 202 })
            let report = try await withoutBlocking {
                try await MillraceClient.withClient(Self.configuration(daemon.tcp, key: key)) { client in
                    for n in 0..<1500 { try await client.enqueue(Event("client.sent", payload: ["n": .integer(n)])) }
                    return try await client.flush()
                }
            }
            #expect(report.acceptedCount == 1500 && report.refusedCount == 0)
            try installation.auditor.waitForRows(1500)
            #expect(try Self.numbers(installation.auditor) == ["1500 1500 1499"])
        }
    }
}

/// On Swift's own threads: those of the tests may all be blocked.
private func withoutBlocking<Answer: Sendable>(
    _ body: @Sendable @escaping () async throws -> Answer
) async throws -> Answer {
    try await withTaskExecutorPreference(globalConcurrentExecutor) { try await body() }
}

/// `{"inner":{"inner":…}}`, so many levels deep.
private struct Nested: Encodable {
    private enum Key: CodingKey { case inner }

    var depth: Int

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        if depth > 1 { try container.encode(Nested(depth: depth - 1), forKey: .inner) }
    }
}
