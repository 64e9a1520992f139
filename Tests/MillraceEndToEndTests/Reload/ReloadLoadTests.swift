import MillraceTestSupport
import Synchronization
import Testing

extension EndToEndAlone {
    struct ReloadLoadTests {
        /// Sends at about this rate until it is told to stop; all of it on one connection.
        private static let linesASecond = 5000
        private static let burst = 250

        /// Lines that were sent, and that were acked, accepted and not refused.
        private final class Counts: Sendable {
            let isOver = Atomic<Bool>(false)
            let tcp = Atomic<Int>(0)
            let http = Atomic<Int>(0)

            var total: Int { tcp.load(ordering: .relaxed) + http.load(ordering: .relaxed) }
        }

        private static func burst(of source: String, from first: Int) -> [UInt8] {
            var lines: [UInt8] = []
            for index in first..<(first + burst) {
                lines += Array(#"{"event_type":"reload.load","payload":{"source":"\#(source)","n":\#(index)}}"#.utf8)
                lines.append(UInt8(ascii: "\n"))
            }
            return lines
        }

        /// Sends bursts in time until `counts.isOver`.
        private static func pace(_ counts: Counts, _ send: (Int) throws -> Void) rethrows {
            let start = ContinuousClock.now
            var sent = 0
            while !counts.isOver.load(ordering: .relaxed) {
                try send(sent)
                sent += burst
                let due = start + .seconds(1) * sent / linesASecond
                if due > .now { _ = eventually(within: due - .now) { counts.isOver.load(ordering: .relaxed) } }
            }
        }

        @Test func `ten reloads under ten thousand events a second refuse none, lose none and close no connection`()
            throws
        {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let counts = Counts()
            let tcp = BackgroundThread {
                let client = try TCPClient(daemon.tcp, acks: "spooled")
                try Self.pace(counts) { first in
                    try client.send(Self.burst(of: "tcp", from: first))
                    try client.takeMessages()
                    counts.tcp.store(first + Self.burst, ordering: .relaxed)
                }
                try client.waitForAck(counts.tcp.load(ordering: .relaxed))
                guard client.refusals.isEmpty, client.problem == nil else {
                    throw TestSupportError(message: "refused: \(client.refusals.first?.value.message ?? "")")
                }
            }
            let http = BackgroundThread {
                // One connection, which must not be closed.
                let client = HTTPClient(daemon.http)
                try Self.pace(counts) { first in
                    let answer = try client.postEvents(Self.burst(of: "http", from: first))
                    guard answer.status == 202, answer.headers["connection"]?.lowercased() != "close" else {
                        throw TestSupportError(message: "answered \(answer.status): \(answer.text)")
                    }
                    counts.http.store(first + Self.burst, ordering: .relaxed)
                }
            }
            for round in 1...10 {
                let before = counts.total
                #expect(eventually { counts.total >= before + 5000 })
                let isInvalid = round == 5
                try daemon.change([
                    "limits.payload_bytes": "\"\(round * 8)KiB\"",
                    "log.level": round.isMultiple(of: 2) ? "\"debug\"" : "\"info\"",
                    "tcp.inflight_bytes_max": "\"\(round * 128)KiB\"",
                    "database.batch_rows": isInvalid ? "-1" : "\(round * 1000)",
                    "http.connections_max": "\(round * 100)",
                ])
                let run = try daemon.run("reload")
                #expect(run.exit == .status(isInvalid ? 1 : 0), "\(run.errors)")
            }
            counts.isOver.store(true, ordering: .relaxed)
            try tcp.join()
            try http.join()
            try installation.auditor.waitForRows(counts.total)
            #expect(try installation.auditor.events == counts.total)
            #expect(try installation.auditor.integer("SELECT count(*) FROM public.dead_letters") == 0)
            #expect(daemon.log.contains("reloaded"))
            try installation.auditor.verify(daemon)
            #expect(try daemon.stop() == .status(0))
        }
    }
}
