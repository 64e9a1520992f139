import MillraceTestSupport
import Testing

extension EndToEnd {
    struct SendTests {
        private struct Report: Decodable {
            var sent: Int
            var accepted: Int
            var refused: Int
            var unsettled: Int
            var reconnects: Int
        }

        @Test func `send goes on over a kill of the daemon, and nothing is lost or twice`() throws {
            let installation = try Installation()
            let (daemon, auditor) = (installation.daemon, installation.auditor)
            try daemon.start()
            let count = 20_000
            let lines = EventFactory(seed: 71).lines(0..<count)
            let scratch = try ScratchDirectory()
            let file = try HeldInput(Compression.gzip.compress(lines), at: scratch.path + "/events.ndjson.gz")

            let sending = try SpawnedProcess(
                MillraceBinary.path,
                ["send", file.path, "--json", "--quiet", "--window-kib", "64", "--config", daemon.configuration],
                mark: file.path, output: scratch.path + "/out", errors: scratch.path + "/err")
            #expect(eventually(within: .seconds(30)) { ((try? auditor.settled) ?? 0) > 500 })
            try daemon.kill()
            #expect(sending.isRunning)
            file.release()
            try daemon.start()
            #expect(try sending.waitForExit(within: .seconds(120)) == .status(0))
            try file.finish()
            let report = try CommandRun.decode(Report.self, from: TextFile.read(scratch.path + "/out"))
            #expect(report.sent == count)
            #expect(report.accepted == count)
            #expect(report.unsettled == 0)
            #expect(report.reconnects >= 1)

            try auditor.waitForRows(count)
            #expect(try auditor.rows == count)
            let input = try InputTable(lines, database: installation.database)
            #expect(try input.missingEvents() == 0)
            #expect(try input.missingConversations() == 0)
            try auditor.verify(daemon)
        }

        @Test func `send reads standard input, and says which lines were refused`() throws {
            let installation = try Installation()
            let daemon = installation.daemon
            try daemon.start()
            let scratch = try ScratchDirectory()
            let events = EventFactory(seed: 72)
            let file = scratch.path + "/events.ndjson"
            try TextFile.write("\(events.line(0))\n\n{\"evnt_type\":\"typo\"}\n\(events.line(1))", to: file)
            let run = try CommandRun(
                ["send", "-", "--ack", "committed", "--json", "--config", daemon.configuration], input: file,
                in: scratch)
            #expect(run.exit == .status(1))
            let report = try run.report(Report.self)
            #expect(report.accepted == 2)
            #expect(report.refused == 1)
            #expect(run.output.contains("unknown_field"))
            #expect(try installation.auditor.rows == 2)
        }

        @Test func `send gives up with status 1 when nobody listens`() throws {
            let nobody = try Endpoint.free()
            let run = try CommandRun(
                ["send", "-", "--to", "\(nobody)", "--retry-for", "0", "--quiet"], input: #filePath,
                in: ScratchDirectory())
            #expect(run.exit == .status(1))
            #expect(run.errors.contains("\(nobody)"), "\(run.errors)")
        }
    }
}
