import MillraceChannels
import MillraceEvent
import Testing

@testable import MillraceIntake

struct EventsAnswerTests {
    private func answer(wantsPosition: Bool) -> EventsAnswer {
        let position: @Sendable (ClosedRange<UInt64>) -> String = { "\($0.lowerBound)-\($0.upperBound)" }
        return EventsAnswer(rejectedItemsMax: 1, position: wantsPosition ? position : nil)
    }

    private func text(_ answer: EventsAnswer) -> String { String(decoding: answer.answer().body, as: UTF8.self) }

    @Test func `a position spans all that was submitted, in whatever order that became durable`() {
        var one = answer(wantsPosition: true)
        one.submitted(7..<8)
        one.accepted = 1
        #expect(text(one) == #"{"accepted":1,"position":"7-7","rejected":[]}"#)
        var several = answer(wantsPosition: true)
        for sequences in [20..<30, 10..<12, 15..<15, 40..<41] as [Range<UInt64>] { several.submitted(sequences) }
        several.accepted = 13
        #expect(text(several).contains(#""position":"10-40""#))
    }

    @Test func `there is none where it is not asked for, and none of nothing`() {
        var unasked = answer(wantsPosition: false)
        unasked.submitted(7..<8)
        unasked.accepted = 1
        #expect(text(unasked) == #"{"accepted":1,"rejected":[]}"#)
        var empty = answer(wantsPosition: true)
        #expect(!text(empty).contains("position"))
        empty.sampledOut = 2
        #expect(!text(empty).contains("position"))
        empty.reject(0, Refusal(.invalidJSON, "no"))
        #expect(!text(empty).contains("position"))
    }

    @Test func `a wait for a commit that is given up still has the position of what is durable`() {
        var machine = EventsRequestStateMachine(
            acknowledgement: .committed, configuration: HTTPIntakeConfiguration(), position: { "\($0)" })
        machine.bodyReceived()
        machine.itemAccepted()
        let number = machine.submitted(byteCount: 10, counts: [(.event, 1)])
        machine.bodyEnded()
        _ = machine.inputCut()
        machine.lastItemCut()
        _ = machine.submissionDurable(number, 5..<6)
        _ = machine.commitOverdue(number)
        guard case .answer(let answer) = machine.nextAction(gatheredBytes: 0) else {
            Issue.record("it is not answered")
            return
        }
        #expect(answer.status == 202 && String(decoding: answer.body, as: UTF8.self).contains(#""position":"5...5""#))
    }
}
