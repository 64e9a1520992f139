import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceSpool

@Suite struct SpoolHealthStateMachineTests {
    @Test func `a full spool says so once and tries again after the pause`() {
        let start = ContinuousClock.now
        var health = SpoolHealthStateMachine(retry: .seconds(1))
        #expect(health.refusal == nil)
        #expect(health.spaceRanOut(start) == .refuse(.spoolFull))
        #expect(health.spaceRanOut(start) == nil)
        #expect(!health.isRetryDue(start))
        #expect(health.isRetryDue(start.advanced(by: .seconds(1))))
        #expect(health.attemptSucceeded() == .accept)
        #expect(health.attemptSucceeded() == nil)
        #expect(health.refusal == nil)
    }

    @Test func `a failed disk is tried with growing pauses, of half a minute at most`() {
        var now = ContinuousClock.now
        var health = SpoolHealthStateMachine(retry: .seconds(1))
        #expect(health.diskFailed(now) == .refuse(.spoolFailed))
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            #expect(!health.isRetryDue(now.advanced(by: .seconds(pause) - .milliseconds(1))))
            now = now.advanced(by: .seconds(pause))
            #expect(health.isRetryDue(now))
            #expect(health.diskFailed(now) == nil)
        }
        #expect(health.spaceRanOut(now) == .refuse(.spoolFull))
        #expect(health.diskFailed(now) == .refuse(.spoolFailed))
    }
}
