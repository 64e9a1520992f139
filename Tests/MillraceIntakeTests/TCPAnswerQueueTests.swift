import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceIntake

struct TCPAnswerQueueTests {
    private static func report(_ sequence: UInt64) -> LineReport {
        LineReport(sequence: sequence, .dead, code: "schema", constraint: nil, sqlState: nil, message: "")
    }

    @Test func `what is said of a line names it among refused lines and those that are sampled out`() {
        var queue = TCPAnswerQueue()
        // Lines 11 to 17: 12 and 15 are sampled out, 13 is refused, the others go in.
        let record = Record(kind: .event, tenant: 0, receivedAt: .now, count: 4, bytes: [])
        let id = queue.append(
            TCPBatch(
                records: [record], refusals: [TCPAnswer.Refusal(line: 13, refusal: Refusal(.schema, "no"))],
                sampledOut: [12, 15], lastLine: 17, byteCount: 1))
        var lines = CommittedLines()
        lines.dead = 4
        lines.reports = [100, 101, 102, 103].map(Self.report)
        queue.ackReady(id, (100..<104, lines))
        let answer = queue.takeNext()
        #expect(answer?.reports.map(\.line) == [11, 14, 16, 17])
        #expect(answer?.ack == 17)
    }

    @Test func `a batch of lines that are all sampled out is acknowledged at once, in its turn`() {
        var queue = TCPAnswerQueue()
        let record = Record(kind: .event, tenant: 0, receivedAt: .now, count: 1, bytes: [])
        let first = queue.append(TCPBatch(records: [record], refusals: [], lastLine: 1, byteCount: 1))
        _ = queue.append(TCPBatch(records: [], refusals: [], sampledOut: [2, 3], lastLine: 3, byteCount: 0))
        #expect(queue.takeNext() == nil)
        queue.ackReady(first)
        #expect(queue.takeNext()?.ack == 3)
        #expect(queue.isEmpty)
    }
}
