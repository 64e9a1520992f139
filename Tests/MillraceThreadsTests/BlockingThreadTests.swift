import Foundation
import MillraceThreads
import Testing

@Suite struct BlockingThreadTests {
    private struct Refusal: Error, Equatable {}

    @Test func `a call runs on a thread of its name, and its answer comes back`() async throws {
        let name = try await BlockingThread.run(named: "blocking") {
            try String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
        }
        #expect(name == "blocking\n")
    }

    @Test func `what a call throws comes back with its type`() async {
        await #expect(throws: Refusal()) {
            try await BlockingThread.run(named: "blocking") { () throws(Refusal) in throw Refusal() }
        }
    }
}
