import MillraceEvent
import MillracePostgres
import MillraceTestSupport
import Synchronization
import Testing

extension EndToEnd {
    /// Three daemons on one database, each with a spool and senders of its own. What one of them does for all goes on when it
    /// is killed, and nothing is done twice.
    struct LeaderTests {
        /// `make leaders-test`: how long, with a kill every ten seconds. 0: a few kills, each after some lines.
        private static let seconds = Environment.integer("MILLRACE_LEADER_SECONDS") ?? 0
        private static let rounds = max(3, seconds / 10)
        private static let linesPerRound = 1500
        private static let outboxRows = 150
        private static let oldRows = 20
        /// Months before this one that are overdue, and that events may still be of.
        private static let oldMonths = [-12, -11, -10, -9, -8]

        /// What one daemon of several does, by `millrace_leader`.
        private enum Duty: String, CaseIterable {
            case outbox, cleaning
        }

        private static let settings = [
            "partitions.maintenance_interval": "\"2s\"", "partitions.quiet_hours": "\"00:00-24:00\"",
            "partitions.retain": "\"6mo\"", "partitions.seal_wait": "\"20s\"", "partitions.gin_clean_rows": "50",
            "partitions.gin_clean_interval": "\"100ms\"", "partitions.gin_clean_limit": "\"200ms\"",
            "outbox.poll": "\"20ms\"", "database.presence_interval": "\"1s\"", "database.retry_max": "\"200ms\"",
        ]

        /// Three of them, which share the archive.
        private struct Trio {
            let installation: Installation
            let daemons: [DaemonProcess]
            private let archive: ScratchDirectory

            init(_ name: String = #function) throws {
                archive = try ScratchDirectory()
                let settings = LeaderTests.settings.merging(["archive.directory": "\"\(archive.path)\""]) { $1 }
                installation = try Installation(name, settings: settings)
                let url = installation.database.connectionString
                daemons =
                    [installation.daemon]
                    + (try (0..<2).map { _ in
                        try DaemonProcess(databaseURL: url, settings: settings)
                    })
                for daemon in daemons { try daemon.start() }
                for daemon in daemons { try daemon.waitUntil("/readyz") }
            }

            var auditor: Auditor { installation.auditor }

            /// Those that say that they do it.
            func leaders(of duty: Duty, except: Int? = nil) -> [Int] {
                daemons.indices.filter { index in
                    index != except
                        && (try? daemons[index].metrics())?.count("millrace_leader", "task=\"\(duty.rawValue)\"") == 1
                }
            }
        }

        /// Sends to one daemon, without an end.
        private final class Intake: Sendable {
            let sender: ChaosSender
            private let isClosed = Atomic<Bool>(false)
            private let thread = Mutex<BackgroundThread?>(nil)

            init(_ way: ChaosSender.Way, seed: UInt64, _ daemon: DaemonProcess) {
                sender = ChaosSender(way, events: EventFactory(seed: seed), daemon: daemon)
            }

            func start() {
                thread.withLock { thread in
                    thread = BackgroundThread { [self] in
                        while !isClosed.load(ordering: .relaxed) {
                            try sender.send(upTo: sender.acked + 250, within: .seconds(120))
                        }
                    }
                }
            }

            func stop() throws {
                isClosed.store(true, ordering: .relaxed)
                try thread.withLock { $0 }?.join()
            }
        }

        private static func event(in month: PartitionMonth, _ number: Int) -> String {
            let time = month.lowerMicroseconds / 1000 + Int64(number) * 1000
            return #"{"event_type":"old","id":"\#(UniqueID.random())","created_at":\#(time)}"# + "\n"
        }

        @Test(.startsFirst) func `whichever leader is killed, another one goes on, and nothing is lost or there twice`()
            throws
        {
            let trio = try Trio()
            let (auditor, database) = (trio.auditor, trio.installation.database)
            let intakes = trio.daemons.enumerated().flatMap { index, daemon in
                [ChaosSender.Way.http, .tcp(acks: "committed")].enumerated().map { way, kind in
                    Intake(kind, seed: UInt64(7000 + 10 * index + way), daemon)
                }
            }
            for intake in intakes { intake.start() }
            func acked() -> Int { intakes.reduce(0) { $0 + $1.sender.acked } }
            let started = ContinuousClock.now
            let ahead = PartitionedTable.analyticsEvents.partitionName(try Mishap.month(3))
            var filled = 0

            for round in 0..<Self.rounds {
                let goal = acked() + Self.linesPerRound
                let due = started + .seconds(10 * round)
                _ = eventually(within: .seconds(60)) {
                    acked() >= goal && (Self.seconds == 0 || ContinuousClock.now >= due)
                }
                let duty = Duty.allCases[round % Duty.allCases.count]
                var leader: Int?
                #expect(
                    eventually {
                        leader = trio.leaders(of: duty).first
                        return leader != nil
                    }, "nobody does \(duty)")
                let killed = try #require(leader)
                let survivor = trio.daemons[(killed + 1) % trio.daemons.count]
                // Work for whoever leads: a month to be made, rows of the outbox, a month to be retired.
                #expect(
                    eventually {
                        do { try database.connect().execute("DROP TABLE IF EXISTS public.\(ahead)") } catch {
                            return false
                        }
                        return true
                    })
                if round < Self.oldMonths.count {
                    let month = try Mishap.month(Self.oldMonths[round])
                    let lines = (0..<Self.oldRows).map { Self.event(in: month, $0) }.joined()
                    #expect(
                        try HTTPClient(survivor.http).postEvents(Array(lines.utf8), query: "?ack=committed").status
                            == 200)
                    filled += 1
                }
                try database.connect().execute(
                    "INSERT INTO public.outbox (event_type) SELECT 'leader.outbox' FROM generate_series(1, \(Self.outboxRows))"
                )
                try trio.daemons[killed].kill()
                #expect(eventually { !trio.leaders(of: duty, except: killed).isEmpty }, "nobody goes on with \(duty)")
                #expect(trio.leaders(of: .outbox).count <= 1)
                #expect(
                    try eventually { try auditor.integer("SELECT count(to_regclass('public.\(ahead)'))") == 1 },
                    "no month is made")
                #expect(try eventually { try auditor.integer("SELECT count(*) FROM public.outbox") == 0 })
                try trio.daemons[killed].start()
            }
            for intake in intakes { try intake.stop() }
            for intake in intakes { #expect(intake.sender.fault == nil) }

            let expected = acked() + Self.rounds * Self.outboxRows
            let retired = """
                SELECT count(*) FROM public.partition_months
                WHERE state = 'dropped' AND table_name = 'analytics_events' AND rows = \(Self.oldRows)
                """
            #expect(try eventually { try auditor.integer(retired) == filled }, "\(trio.daemons[0].log.suffix(3000))")
            try auditor.waitForRows(expected)
            #expect(try auditor.rows == expected)
            #expect(try auditor.integer("SELECT count(*) - count(DISTINCT id) FROM public.analytics_events") == 0)
            #expect(try auditor.integer("SELECT count(*) - count(DISTINCT id) FROM public.conversations") == 0)
            #expect(
                try auditor.integer("SELECT count(*) FROM public.analytics_events WHERE event_type = 'leader.outbox'")
                    == Self.rounds * Self.outboxRows)
            #expect(try auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            for sender in intakes.map(\.sender) {
                for start in stride(from: 0, to: sender.acked, by: 50_000) {
                    let input = try InputTable(
                        sender.events.lines(start..<min(start + 50_000, sender.acked)), database: database)
                    #expect(try input.missingEvents() == 0 && input.missingConversations() == 0)
                }
            }
            // The lists are empty, of what the killed ones have left there too.
            #expect(
                try eventually {
                    try trio.daemons.allSatisfy {
                        try $0.metrics().value("millrace_partitions_cleaning_wait_seconds") == 0
                    }
                })
            #expect(try Partitions(connection: database.connect()).cleanPendingLists() == 0)
            for daemon in trio.daemons { try auditor.verify(daemon) }
            let projections = try trio.daemons[0].run("projections", "verify")
            #expect(projections.isSuccess, "\(projections.output) \(projections.errors)")
            print("leaders: \(Self.rounds) kills, \(expected) rows in \(ContinuousClock.now - started)")
            for daemon in trio.daemons { #expect(try daemon.stop() == .status(0)) }
        }

        @Test func `a rebuild beside three daemons, of which one is killed and one comes late, equals the recount`()
            throws
        {
            let trio = try Trio()
            let auditor = trio.auditor
            let intakes = trio.daemons.enumerated().map { Intake(.http, seed: UInt64(7100 + $0), $1) }
            for intake in intakes { intake.start() }
            func wait(for lines: Int) {
                let goal = intakes.reduce(0) { $0 + $1.sender.acked } + lines
                _ = eventually { intakes.reduce(0) { $0 + $1.sender.acked } >= goal }
            }
            wait(for: 1500)
            let before = try auditor.integer("SELECT max(id) FROM projections.versions")
            let rebuild = BackgroundThread { [daemon = trio.daemons[0]] in
                let run = try daemon.run("projections", "rebuild", "--all", "--quiet")
                guard run.isSuccess else { throw TestSupportError(message: "\(run.output)\(run.errors)") }
            }
            wait(for: 300)
            try trio.daemons[1].kill()
            try rebuild.join()
            try trio.daemons[1].start()
            wait(for: 600)
            for intake in intakes { try intake.stop() }
            let expected = intakes.reduce(0) { $0 + $1.sender.acked }
            try auditor.waitForRows(expected)
            #expect(try auditor.rows == expected)
            let live = "SELECT count(*) FROM projections.versions WHERE state = 'live'"
            #expect(try auditor.integer(live) == 2)
            #expect(try auditor.integer(live + " AND id > \(before)") == 2)
            let projections = try trio.daemons[2].run("projections", "verify")
            #expect(projections.isSuccess, "\(projections.output) \(projections.errors)")
            for daemon in trio.daemons { try auditor.verify(daemon) }
        }
    }
}
