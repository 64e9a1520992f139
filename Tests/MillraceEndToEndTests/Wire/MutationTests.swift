import MillraceTestSupport
import Testing

extension EndToEnd {
    struct MutationTests {
        private static let mutationCount = 20_000
        private static let pieceLines = 1000

        /// `MILLRACE_MUTATION_SEED` repeats a run.
        @Test func `mutated lines never end the daemon, and what it lets in is what the client sent`() throws {
            let seed = SeededGenerator.seed("MILLRACE_MUTATION_SEED")
            var mutator = LineMutator(seed: seed)
            let events = EventFactory(seed: seed)
            let installation = try Installation(settings: ["http.rejected_items_max": "100000"])
            let daemon = installation.daemon
            try daemon.start()
            let pid = try daemon.process.pid

            var accepted: [UInt8] = []
            var acceptedCount = 0
            for start in stride(from: 0, to: Self.mutationCount, by: Self.pieceLines) {
                let lines = (start..<start + Self.pieceLines).map { mutator.mutate(Array(events.line($0).utf8)) }
                let body = Array(lines.map { $0 + [UInt8(ascii: "\n")] }.joined())
                let isByHTTP = start / Self.pieceLines % 4 == 3
                let refused = try isByHTTP ? post(body, to: daemon) : send(body, count: lines.count, to: daemon)
                for (index, line) in lines.enumerated() where !refused.contains(index) {
                    accepted += line + [UInt8(ascii: "\n")]
                    acceptedCount += 1
                }
            }
            print("mutations: \(acceptedCount) of \(Self.mutationCount) accepted")
            #expect(acceptedCount > Self.mutationCount / 20)
            #expect(try daemon.process.isRunning && daemon.process.pid == pid)

            try installation.auditor.waitForSettled(acceptedCount)
            let input = try InputTable(accepted, database: installation.database)
            #expect(try installation.auditor.rows == acceptedCount)
            #expect(try input.missingEvents() == 0)
            #expect(try input.foreignEvents() == 0)
            #expect(try input.missingConversations() == 0)
            #expect(try input.foreignConversations() == 0)
            let report = try installation.auditor.verify(daemon)
            #expect(report.total?.dead == 0)
        }

        /// Indexes of the lines that were refused.
        private func send(_ body: [UInt8], count: Int, to daemon: DaemonProcess) throws -> Set<Int> {
            let client = try TCPClient(daemon.tcp, acks: "spooled")
            try client.send(body)
            try client.waitForAck(count)
            return Set(client.refusals.keys.map { $0 - 1 })
        }

        private func post(_ body: [UInt8], to daemon: DaemonProcess) throws -> Set<Int> {
            let response = try HTTPClient(daemon.http).postEvents(body)
            guard response.status == 202 else { throw UnexpectedAnswer(text: response.text) }
            return Set(try response.json.rejected?.map(\.index) ?? [])
        }
    }
}
