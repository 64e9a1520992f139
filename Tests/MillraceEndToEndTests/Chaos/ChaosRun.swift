import MillracePostgres
import MillraceTestSupport
import Testing

/// Rounds of sending, faults and audits on one daemon and one cluster.
struct ChaosRun {
    private static let linesMax = 2000

    let cluster: TestCluster
    let proxy: PostgresProxy
    let installation: Installation
    let senders: [ChaosSender]
    var random: SeededGenerator
    /// Connections of clients that don't read.
    var unkind: [StreamSocket] = []
    /// Lines of each sender that are sent by the end of the round.
    private var target = 0

    init(seed: UInt64) throws {
        cluster = try TestCluster(isDurable: true)
        let proxy = try PostgresProxy(socketDirectory: cluster.cluster.socketDirectory)
        self.proxy = proxy
        installation = try Installation(
            "chaos", cluster: cluster,
            settings: [
                "database.retry_min": "\"5ms\"", "database.retry_max": "\"100ms\"", "spool.segment_bytes": "\"1MiB\"",
                "spool.group_bytes": "\"256KiB\"", "spool.retain": "\"100ms\"", "database.batch_rows": "1000",
                "database.part_bytes": "\"64KiB\"",
            ],
            databaseURL: { proxy.connectionString(database: $0.name) })
        let daemon = installation.daemon
        let ways: [ChaosSender.Way] = [.tcp(acks: "spooled"), .tcp(acks: "committed"), .http]
        senders = ways.enumerated().map { index, way in
            ChaosSender(way, events: EventFactory(seed: seed &* 16 &+ UInt64(index)), daemon: daemon)
        }
        random = SeededGenerator(seed: seed)
    }

    /// Sends, does `faults` one after the other at random moments, and audits.
    mutating func round(_ faults: [ChaosFault]) throws {
        let first = target
        target += Int.random(in: Self.linesMax / 2...Self.linesMax, using: &random)
        let target = target
        let threads = senders.map { sender in
            BackgroundThread { try sender.send(upTo: target, within: .seconds(90)) }
        }
        var failure: (any Error)?
        do {
            for fault in faults { try carryOut(fault) }
        } catch {
            failure = error
        }
        proxy.disarm()
        // Every thread ends before an error does anything else, such as taking the daemon away from it.
        for thread in threads {
            do { try thread.join() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
        try audit(first..<target)
    }

    func stop() throws {
        try installation.daemon.kill()
        try proxy.stop()
    }

    var acked: Int { senders.reduce(0) { $0 + $1.acked } }

    /// Waits until a random number of lines more are acknowledged, or for a moment when none will be.
    mutating func waitForProgress(within limit: Duration) {
        let goal = acked + Int.random(in: 0...Self.linesMax, using: &random)
        _ = eventually(within: limit) { acked >= goal }
    }

    private mutating func carryOut(_ fault: ChaosFault) throws {
        let daemon = installation.daemon
        waitForProgress(within: .seconds(5))
        switch fault {
        case .killDaemon:
            try daemon.kill()
            try daemon.start()
        case .stopDaemon:
            #expect(try daemon.stop() == .status(0))
            try daemon.start()
        case .stopPostgres:
            try cluster.stopImmediately()
            waitForProgress(within: .milliseconds(300))
            try cluster.start()
        case .both:
            if Bool.random(using: &random) {
                try daemon.kill()
                try cluster.stopImmediately()
            } else {
                try cluster.stopImmediately()
                try daemon.kill()
            }
            if Bool.random(using: &random) {
                try daemon.start()
                try cluster.start()
            } else {
                try cluster.start()
                try daemon.start()
            }
        case .cut(let cut):
            let before = proxy.cuts
            proxy.arm(cut)
            _ = eventually(within: .seconds(5)) { proxy.cuts > before || acked == target * senders.count }
        case .mishap(let mishap): try carryOut(mishap)
        }
    }

    private func audit(_ range: Range<Int>) throws {
        for sender in senders { #expect(sender.fault == nil) }
        let expected = target * senders.count
        let auditor = installation.auditor
        try auditor.waitForRows(expected, within: .seconds(60))
        #expect(try auditor.rows == expected)
        #expect(try auditor.integer("SELECT count(*) - count(DISTINCT id) FROM public.analytics_events") == 0)
        #expect(
            try auditor.integer("SELECT count(*) - count(DISTINCT conversation_id) FROM public.conversations") == 0)
        let input = try InputTable(senders.flatMap { $0.events.lines(range) }, database: installation.database)
        #expect(try input.missingEvents() == 0)
        #expect(try input.missingConversations() == 0)
        let report = try auditor.verify(installation.daemon)
        #expect(report.total?.committed == expected)
        #expect(report.total?.inSpool == 0)
        #expect(report.total?.dead == 0)
    }
}
