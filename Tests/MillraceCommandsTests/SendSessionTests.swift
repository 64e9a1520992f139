import Glibc
import MillraceChannels
import MillraceEvent
import MillraceTestSupport
import Testing

@testable import MillraceCommands
@testable import MillraceConsole

struct SendSessionTests {
    private func session(_ server: AckServer, _ pipe: InputPipe) -> SendSession<LineReader> {
        SendSession(
            destination: Destination(server.endpoint), acknowledgement: .spooled,
            reader: LineReader(descriptor: pipe.descriptor),
            machine: SendStateMachine(windowBytesMax: 2000, retryFor: .seconds(30), keptMax: 1000))
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `every line is acknowledged in order over connections cut at random points`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let lines = (0..<1500).map { index in
            let padding = String(repeating: "x", count: Int.random(in: 0..<60, using: &generator))
            return index % 97 == 5 ? "bad \(index) \(padding)" : "line \(index) \(padding)"
        }
        let server = try AckServer(lines: lines, cutsMax: 12, seed: seed)
        server.start()
        let pipe = InputPipe(Array((lines.joined(separator: "\n") + "\n").utf8), pieceBytes: 333)
        var session = session(server, pipe)
        try session.run { _ in }
        let log = try server.finish()

        #expect(log.cuts == 12, "seed \(seed)")
        // Nothing lost, nothing out of order: without the repeats, what came is what was to be sent.
        var seen = Set<String>()
        #expect(log.received.filter { seen.insert($0).inserted } == lines, "seed \(seed)")
        // Each connection begins with the first line whose ack the client has not got: no gap, and not before the
        // ack that it has.
        for (start, acked) in zip(log.starts, log.ackedAtStart) { #expect(start <= acked && start >= 0) }
        let bad = lines.indices.filter { lines[$0].hasPrefix("bad") }
        #expect(session.machine.refused.map(\.lineNumber) == bad.map { $0 + 1 }, "seed \(seed)")
        #expect(session.machine.acceptedCount == lines.count - bad.count, "seed \(seed)")
    }

    @Test func `it gives up when nobody listens, and says where`() {
        let pipe = InputPipe(Array("{}\n".utf8))
        var session = SendSession(
            destination: Destination(.unix(path: "/nonexistent/socket")), acknowledgement: .spooled,
            reader: LineReader(descriptor: pipe.descriptor),
            machine: SendStateMachine(windowBytesMax: 2000, retryFor: .zero, keptMax: 10))
        let error = #expect(throws: CommandError.self) { try session.run { _ in } }
        #expect(error?.message.contains("unix:/nonexistent/socket") == true)
    }

    @Test func `progress has a bar where the size is known and names trouble`() {
        var progress = SendProgress(
            accepted: 1200, refused: 3, readBytes: 50, totalBytes: 100, unsettled: 0, trouble: nil)
        #expect(
            progress.line(elapsed: .seconds(30), linesPerSecond: 40)
                == "[############------------] 50%  1,200 accepted  3 refused  40 lines/s  ETA 30 s")
        progress.totalBytes = nil
        progress.trouble = "no answer"
        #expect(
            progress.line(elapsed: .seconds(30), linesPerSecond: 40)
                == "1,200 accepted  3 refused  waiting: no answer")
    }
}
