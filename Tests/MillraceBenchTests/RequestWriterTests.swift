import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceBench
@testable import MillraceConsole

struct RequestWriterTests {
    private let now = Timestamp(microseconds: 1_795_267_200_000_000)

    private func plan(_ wire: LoadPlan.Wire, batch: Int) -> LoadPlan {
        LoadPlan(
            wire: wire, acknowledgement: .committed, connections: 1, batch: batch, inFlightMax: 10, rate: nil,
            warmupNanoseconds: 0, extent: .events(1))
    }

    private func writer(_ plan: LoadPlan, lineBytes: Int = 330) throws -> RequestWriter {
        let runID = RunID(startedAt: now, random: 1)
        return try RequestWriter(
            plan: plan, endpoint: .tcp(host: "localhost", port: 8080),
            templates: .generated(seed: 1, lineBytes: lineBytes, runID: runID), at: now)
    }

    @Test(arguments: [1, 2, 30])
    func `a request has the length of its body`(batch: Int) throws {
        var writer = try writer(plan(.http, batch: batch))
        for start in [0, 1000, 5000] as [UInt64] {
            let (output, lineBytes) = writer.bytes(for: start..<start + UInt64(batch), at: now)
            let parts = String(decoding: output, as: UTF8.self).split(separator: "\r\n\r\n", maxSplits: 1)
            let type = batch == 1 ? "application/json" : "application/x-ndjson"
            let bodyBytes = lineBytes - (batch == 1 ? 1 : 0)
            #expect(
                parts[0] == """
                    POST /v1/events?ack=committed HTTP/1.1\r
                    Host: localhost:8080\r
                    Content-Type: \(type)\r
                    Content-Length: \(bodyBytes)
                    """)
            #expect(parts[1].utf8.count == bodyBytes)
            #expect(parts[1].split(separator: "\n").count == batch)
        }
    }

    @Test func `over TCP the lines go out as they are`() throws {
        var writer = try writer(plan(.tcp, batch: 1))
        let (output, lineBytes) = writer.bytes(for: 0..<3, at: now)
        #expect(output.count == lineBytes)
        #expect(output.count { $0 == UInt8(ascii: "\n") } == 3)
    }

    @Test func `a batch that would take too much memory is refused`() throws {
        #expect(throws: CommandError.self) { try writer(plan(.http, batch: 100_000), lineBytes: 100_000) }
    }
}
