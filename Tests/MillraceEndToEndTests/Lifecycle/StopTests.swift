import Glibc
import MillraceTestSupport
import Testing

extension EndToEnd {
    struct StopTests {
        enum Postgres: CaseIterable, Sendable {
            case running
            case stopped
            case frozen
        }

        private static let drainLimit = 2
        /// Both intakes at the same time, then the writers, and what a busy machine takes for the rest; less than the
        /// default limits would take.
        private static let exitLimit = Duration.seconds(2 * drainLimit + 5)

        @Test(.startsFirst, arguments: Postgres.allCases)
        func `SIGTERM under load ends the daemon within seconds with status 0, and nothing acked is lost`(
            postgres: Postgres
        ) throws {
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(
                "stop", cluster: cluster,
                settings: [
                    "database.drain_limit": "\"\(Self.drainLimit)s\"", "intake.drain_limit": "\"\(Self.drainLimit)s\"",
                ])
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            try daemon.waitUntil("/readyz")
            let ways: [ChaosSender.Way] = [.tcp(acks: "spooled"), .tcp(acks: "committed"), .http]
            let senders = ways.enumerated().map { index, way in
                ChaosSender(way, events: EventFactory(seed: UInt64(100 + index)), daemon: daemon)
            }
            // Two idle connections must not hold it up either.
            let idle = [try TCPClient(daemon.tcp, acks: "spooled"), try TCPClient(daemon.tcp, acks: nil)]
            defer { withExtendedLifetime(idle) {} }
            let target = 8000
            let threads = senders.map { sender in
                BackgroundThread { try sender.send(upTo: target, within: .seconds(120)) }
            }
            var failure: (any Error)?
            do {
                guard eventually(within: .seconds(30), { senders.allSatisfy { $0.acked > 300 } }) else {
                    throw TestSupportError(message: "nothing is acknowledged")
                }
                switch postgres {
                case .running: break
                case .stopped: try cluster.stopImmediately()
                case .frozen: try PostgresProcesses(of: cluster).freeze()
                }
                let acked = senders[0].acked
                _ = eventually(within: .seconds(2)) { senders[0].acked > acked + 200 }
                let started = ContinuousClock.now
                #expect(try daemon.stop(within: .seconds(60)) == .status(0))
                let duration = ContinuousClock.now - started
                print("stop with PostgreSQL \(postgres): \(duration)")
                #expect(duration < Self.exitLimit)
            } catch {
                failure = error
            }
            switch postgres {
            case .running: break
            case .stopped: try cluster.start()
            case .frozen: try PostgresProcesses(of: cluster).thaw()
            }
            try daemon.start()
            for thread in threads {
                do { try thread.join() } catch { failure = failure ?? error }
            }
            if let failure { throw failure }
            for sender in senders { #expect(sender.fault == nil) }
            try auditor.waitForRows(target * senders.count)
            #expect(try auditor.rows == target * senders.count)
            let input = try InputTable(senders.flatMap { $0.events.lines(0..<target) }, database: installation.database)
            #expect(try input.missingEvents() == 0)
            #expect(try input.missingConversations() == 0)
            try auditor.verify(daemon)
        }

        @Test func `what was sent one-way before SIGTERM goes in`() throws {
            let installation = try Installation()
            try installation.daemon.start()
            let client = try TCPClient(installation.daemon.tcp, acks: nil)
            try client.send(EventFactory(seed: 21).lines(0..<5000))
            // Part of it is read; the rest is in the socket's buffers, and the client hears of the end.
            try installation.auditor.waitForSettled(1)
            #expect(try installation.daemon.stop() == .status(0))
            try installation.daemon.start()
            try installation.daemon.waitUntil("/readyz")
            let report = try installation.auditor.verify(installation.daemon)
            #expect(report.total?.received ?? 0 > 0)
        }
    }
}
