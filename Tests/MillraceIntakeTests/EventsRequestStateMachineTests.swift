@testable import MillraceIntake
import MillraceChannels
import MillraceEvent
import Testing

struct EventsRequestStateMachineTests {
    private func machine(_ acknowledgement: Submission.Acknowledgement = .spooled) -> EventsRequestStateMachine {
        var configuration = HTTPIntakeConfiguration()
        configuration.http.submissionBytes = 100
        return EventsRequestStateMachine(acknowledgement: acknowledgement, configuration: configuration)
    }

    /// The next action as a word; an answer as its status.
    private func next(_ machine: inout EventsRequestStateMachine, gathered: Int = 0) -> String {
        switch machine.nextAction(gatheredBytes: gathered) {
        case .cut: "cut"
        case .submit: "submit"
        case .rest(let isBehind): isBehind ? "rest behind" : "rest"
        case .answer(let answer): "answer \(answer.status)"
        }
    }

    /// Submits `lines` lines.
    private func submit(_ machine: inout EventsRequestStateMachine, lines: Int = 1) -> Int {
        for _ in 0..<lines { machine.itemAccepted() }
        return machine.submitted(byteCount: 50 * lines, counts: [(.event, lines)])
    }

    private func end(_ machine: inout EventsRequestStateMachine) {
        machine.bodyEnded()
        _ = machine.inputCut()
        machine.lastItemCut()
    }

    @Test func `a body is cut as it comes, and what gathered goes at its end`() {
        var machine = machine()
        #expect(next(&machine) == "rest")
        machine.bodyReceived()
        #expect(next(&machine, gathered: 50) == "cut")
        let hasEnded = machine.inputCut()
        #expect(!hasEnded)
        #expect(next(&machine, gathered: 50) == "rest")
        machine.itemAccepted()
        end(&machine)
        #expect(next(&machine, gathered: 50) == "submit")
        let number = submit(&machine)
        #expect(next(&machine) == "rest")
        _ = machine.submissionEnded(number, .durable(0..<1))
        #expect(next(&machine) == "answer 202")
        #expect(next(&machine) == "rest")
    }

    @Test func `a full submission goes when none is out and the channel takes more`() {
        var machine = machine()
        machine.bodyReceived()
        #expect(next(&machine, gathered: 100) == "submit")
        let first = submit(&machine)
        #expect(next(&machine, gathered: 100) == "rest behind")
        let isNews = [machine.channelFilled(), machine.channelFilled()]
        #expect(isNews == [true, false])
        _ = machine.submissionEnded(first, .durable(0..<1))
        #expect(next(&machine, gathered: 100) == "rest behind")
        machine.channelDrained()
        #expect(next(&machine, gathered: 100) == "submit")
    }

    @Test func `items that are sampled out count as accepted, and nothing is submitted or waited for`() {
        for (acknowledgement, status) in [(Submission.Acknowledgement.spooled, 202), (.committed, 200)] {
            var machine = machine(acknowledgement)
            machine.bodyReceived()
            machine.itemSampledOut()
            machine.itemRefused(Refusal(.schema, "no"))
            machine.itemSampledOut()
            end(&machine)
            guard case .answer(let answer) = machine.nextAction(gatheredBytes: 0) else {
                Issue.record("no answer")
                continue
            }
            let body = String(decoding: answer.body, as: UTF8.self)
            #expect(answer.status == status)
            #expect(body.hasPrefix(#"{"accepted":2,"sampled_out":2,"#) && body.contains(#""index":1"#), "\(body)")
        }
    }

    @Test func `of a body that breaks, what was sampled out before counts, and what comes after is not taken`() {
        var machine = machine()
        machine.bodyReceived()
        machine.itemSampledOut()
        let number = submit(&machine)
        _ = machine.submissionEnded(number, .durable(0..<1))
        machine.itemAccepted()
        machine.itemSampledOut()
        _ = machine.bodyBroke(HTTPProblem(.malformedBody, "broken"))
        guard case .answer(let answer) = machine.nextAction(gatheredBytes: 0) else {
            Issue.record("no answer")
            return
        }
        let body = String(decoding: answer.body, as: UTF8.self)
        #expect(body.hasPrefix(#"{"accepted":2,"sampled_out":1,"rejected":[{"index":2,"#), "\(body)")
    }

    @Test func `what breaks before anything was accepted refuses all, and later only the rest`() {
        var early = machine()
        early.bodyReceived()
        early.itemRefused(Refusal(.invalidJSON, "bad"))
        let broke = early.bodyBroke(HTTPProblem(.malformedBody, "broken"))
        #expect(broke)
        #expect(next(&early) == "answer 400")
        var late = machine()
        late.bodyReceived()
        let number = submit(&late)
        _ = late.bodyBroke(HTTPProblem(.malformedBody, "broken"))
        #expect(next(&late) == "rest", "what is out decides")
        _ = late.submissionEnded(number, .durable(0..<1))
        #expect(next(&late) == "answer 202")
        let brokeAgain = late.bodyBroke(HTTPProblem(.malformedBody, "broken"))
        #expect(!brokeAgain)
    }

    @Test func `a commit is waited for until it comes, or the time is up and the line is durable`() {
        let accepted: [(String, (inout EventsRequestStateMachine, Int) -> Void)] = [
            ("answer 200", { _ = $0.submissionEnded($1, .committed(0..<1, CommittedLines())) }),
            ("answer 202", { _ = $0.submissionEnded($1, .durable(0..<1)) }),
            ("rest", { _ = $0.submissionDurable($1, 0..<1) }), ("rest", { _ = $0.commitOverdue($1) }),
            (
                "answer 202",
                {
                    _ = $0.submissionDurable($1, 0..<1); _ = $0.commitOverdue($1)
                }
            ),
            (
                "answer 202",
                {
                    _ = $0.commitOverdue($1); _ = $0.submissionDurable($1, 0..<1)
                }
            ),
            (
                "rest",
                {
                    _ = $0.commitOverdue($1 + 1); _ = $0.submissionDurable($1, 0..<1)
                }
            ),
            ("answer 503", { _ = $0.submissionEnded($1, .failed(.spoolFull)) }),
        ]
        for (expected, happen) in accepted {
            var machine = machine(.committed)
            machine.bodyReceived()
            let number = submit(&machine)
            end(&machine)
            #expect(machine.isAwaitingCommit)
            happen(&machine, number)
            #expect(next(&machine) == expected)
        }
    }

    @Test func `an outcome that comes after the wait was over changes nothing`() {
        var machine = machine(.committed)
        machine.bodyReceived()
        let number = submit(&machine)
        _ = machine.submissionDurable(number, 0..<1)
        let accepted = machine.commitOverdue(number)
        #expect(accepted?.map(\.count) == [1])
        #expect(machine.acknowledgement == .spooled)
        if case .late = machine.submissionEnded(number, .failed(.spoolFull)) {} else { Issue.record("not late") }
    }
}
