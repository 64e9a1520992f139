import MillraceTestSupport
import Testing

extension EndToEnd {
    struct BacklogTests {
        private static let memoryBytesMax = 96 << 20
        /// Lines handed over at a time.
        private static let pieceLines = 20_000

        /// `MILLRACE_BACKLOG_EVENTS` says how many.
        @Test(.startsFirst)
        func `millions of events are taken while PostgreSQL is down, in little memory, and are written later`()
            throws
        {
            let count = Environment.integer("MILLRACE_BACKLOG_EVENTS") ?? 2_000_000
            let cluster = try TestCluster(isDurable: false)
            let installation = try Installation(
                "backlog", cluster: cluster,
                settings: [
                    "partitions.payload_index": "\"none\"", "spool.retain": "\"0s\"", "spool.free_bytes": "\"0B\"",
                ])
            let daemon = installation.daemon
            try daemon.start()
            try daemon.waitUntil("/readyz")
            try cluster.stopImmediately()
            var watch = MemoryWatch()

            var started = ContinuousClock.now
            try send(0..<count / 2, to: daemon, &watch)
            print(
                "backlog: \(count / 2) taken in \(ContinuousClock.now - started), at most \(watch.bytesMax >> 20) MiB")
            try daemon.kill()
            try daemon.start()
            try send(count / 2..<count, to: daemon, &watch)
            #expect(try daemon.stop() == .status(0))
            try daemon.start()

            started = ContinuousClock.now
            try cluster.start()
            let auditor = installation.auditor
            let isWritten = eventually(within: .seconds(600)) {
                watch.sample(daemon)
                return ((try? auditor.settled) ?? 0) >= count
            }
            print("backlog: \(count) written in \(ContinuousClock.now - started), at most \(watch.bytesMax >> 20) MiB")
            #expect(isWritten)
            #expect(watch.bytesMax < Self.memoryBytesMax)
            #expect(try auditor.events == count)
            #expect(try auditor.integer("SELECT count(DISTINCT id) FROM public.analytics_events") == count)
            let report = try auditor.verify(daemon)
            #expect(report.total?.committed == count)
            #expect(report.total?.inSpool == 0)
        }

        /// Over one connection with acks, in pieces.
        private func send(_ range: Range<Int>, to daemon: DaemonProcess, _ watch: inout MemoryWatch) throws {
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceLines) {
                let piece = start..<min(start + Self.pieceLines, range.upperBound)
                try client.send(PlainEvents.lines(piece))
                watch.sample(daemon)
            }
            try client.waitForAck(range.count, within: .seconds(300))
            #expect(client.refusals.isEmpty)
            watch.sample(daemon)
        }
    }
}

/// The most memory that a daemon had.
private struct MemoryWatch {
    private(set) var bytesMax = 0

    /// The kernel keeps the peak itself, so that no moment between two samples is missed.
    mutating func sample(_ daemon: DaemonProcess) {
        bytesMax = max(bytesMax, (try? daemon.process.memoryBytes("VmHWM")) ?? 0)
    }
}
