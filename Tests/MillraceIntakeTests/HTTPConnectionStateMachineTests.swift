@testable import MillraceIntake
import NIOCore
import NIOHTTP1
import Testing

/// The machine alone, as a script: each event and the action that it leads to.
struct HTTPConnectionStateMachineTests {
    enum Event {
        /// So many seconds go by.
        case wait(Int64)
        case begun
        case parts([HTTPServerRequestPart])
        case next
        case admitted(HTTPAdmission)
        case progressed(EventsProgress)
        /// So many bytes are not taken yet.
        case written(closes: Bool, unsent: Int)
        case taken
        case inputClosed
        case outputClosed
        case elapsed
        case decoderFailed
    }

    private static let head = HTTPRequestHead(
        version: .http1_1, method: .POST, uri: "/v1/events", headers: ["Host": "localhost"])
    private static let events = HTTPAdmission(
        head, at: HTTPDoor.Entrance(), door: HTTPDoor(listen: [], hosts: []),
        access: HTTPAccess(shared: IntakeAccess(), address: nil, clientSubject: nil), isReserved: false,
        spoolRefusal: nil)
    private static let body = HTTPServerRequestPart.body(ByteBuffer(string: "{}"))
    private static let answered = EventsProgress.answered(HTTPAnswer(status: 202, body: []))

    static var scripts: [(claim: String, steps: [(Event, String)])] {
        [
            (
                "a request is read, answered, and followed by the next",
                [
                    (.begun, ""), (.parts([.head(head), body, .end(nil)]), ""), (.next, "admit"),
                    (.admitted(events), "start events"), (.next, "take 2"), (.progressed(.reading), ""),
                    (.next, "take end"), (.progressed(.awaitingCommit), ""), (.next, "wait"),
                    (.progressed(answered), "answer 202"), (.written(closes: false, unsent: 0), ""),
                    (.parts([.head(head)]), ""), (.next, "admit"),
                ]
            ),
            (
                "an answer before the end of its request ends the connection",
                [
                    (.parts([.head(head), body]), ""), (.next, "admit"), (.admitted(events), "start events"),
                    (.next, "take 2"), (.progressed(answered), "answer 202, close"),
                    (.written(closes: true, unsent: 9), "close output"), (.parts([body]), ""), (.next, "wait"),
                    (.outputClosed, ""), (.wait(1), ""), (.elapsed, "close"),
                ]
            ),
            (
                "the next request waits until an answer is taken",
                [
                    (.parts([.head(head), .end(nil)]), ""), (.next, "admit"), (.admitted(events), "start events"),
                    (.next, "take end"), (.progressed(answered), "answer 202"),
                    (.written(closes: false, unsent: 9), "await taken"), (.begun, ""), (.parts([.head(head)]), ""),
                    (.next, "wait"), (.taken, ""), (.next, "admit"),
                ]
            ),
            ("who says nothing is closed", [(.wait(9), ""), (.elapsed, ""), (.wait(1), ""), (.elapsed, "close")]),
            (
                "who says half a head is answered",
                [
                    (.wait(9), ""), (.begun, ""), (.wait(9), ""), (.elapsed, ""), (.wait(1), ""),
                    (.elapsed, "answer 408, close"),
                ]
            ),
            (
                "a body that stops is broken off once",
                [
                    (.parts([.head(head), body]), ""), (.next, "admit"), (.admitted(events), "start events"),
                    (.next, "take 2"), (.wait(10), ""), (.elapsed, "break body_too_slow"), (.progressed(.reading), ""),
                    (.wait(10), ""), (.elapsed, ""), (.progressed(answered), "answer 202, close"),
                ]
            ),
            (
                "a decoder that gives up is answered after what came before it",
                [
                    (.parts([.head(head), .end(nil)]), ""), (.decoderFailed, ""), (.next, "admit"),
                    (.admitted(events), "start events"), (.next, "take end"), (.next, "wait"),
                    (.progressed(answered), "answer 202"), (.written(closes: false, unsent: 0), ""),
                    (.next, "answer 400, close"),
                ]
            ),
            (
                "the end of the input ends an idle connection",
                [(.inputClosed, ""), (.next, "close output"), (.outputClosed, "close")]
            ),
        ]
    }

    @Test(arguments: HTTPConnectionStateMachineTests.scripts.map(\.claim))
    func `what happens decides what is done`(claim: String) throws {
        var configuration = HTTPIntakeConfiguration()
        configuration.http.crowdedWait = .seconds(3600)
        var machine = HTTPConnectionStateMachine(configuration: configuration)
        var now = NIODeadline.uptimeNanoseconds(0)
        guard let place = ConnectionPlace.taken() else { preconditionFailure("a limiter of one has one place") }
        machine.connectionAccepted(place, isCrowded: false, now: now)
        for (position, (event, expected)) in try #require(Self.scripts.first { $0.claim == claim }).steps.enumerated() {
            let found = happen(event, &machine, &now)
            #expect(found == expected, "step \(position)")
        }
    }

    private func happen(
        _ event: Event, _ machine: inout HTTPConnectionStateMachine, _ now: inout NIODeadline
    ) -> String {
        let output = HTTPConnectionStateMachine.Output(sentBytes: 0, unsentBytes: 0)
        switch event {
        case .wait(let seconds): now = now + .seconds(seconds)
        case .begun: machine.requestBegun(now: now)
        case .parts(let parts): for part in parts { machine.partReceived(part) }
        case .next:
            let time = now
            guard let action = machine.nextAction(output: output, now: time) else { return "wait" }
            return name(action)
        case .admitted(let admission): return name(machine.requestAdmitted(admission, now: now))
        case .progressed(let progress): return name(machine.eventsProgressed(progress))
        case .written(let closes, let unsent):
            return name(
                machine.answerWritten(
                    closes: closes, output: HTTPConnectionStateMachine.Output(sentBytes: 0, unsentBytes: unsent),
                    isCrowded: false, now: now))
        case .taken: machine.answerTaken(isCrowded: false, now: now)
        case .inputClosed: return name(machine.inputClosed())
        case .outputClosed: return name(machine.outputClosed(now: now))
        case .elapsed:
            return name(machine.deadlineElapsed(output: output, isWritable: true, isCrowded: false, now: now))
        case .decoderFailed: machine.decoderFailed(HTTPProblem(.malformedRequest, "no HTTP"))
        }
        return ""
    }

    private func name(_ action: HTTPConnectionStateMachine.Action) -> String {
        switch action {
        case .none: ""
        case .admit: "admit"
        case .startEvents: "start events"
        case .startRoutes: "start routes"
        case .takeBody(let buffer): buffer.map { "take \($0.readableBytes)" } ?? "take end"
        case .breakBody(let problem): "break \(problem.code.rawValue)"
        case .forward: "forward"
        case .replaceDecoder: "replace decoder"
        case .answer(let answer, let exchange):
            "answer \(answer.status)" + (exchange.map { $0.closes } ?? true ? ", close" : "")
        case .awaitTaken: "await taken"
        case .closeOutput: "close output"
        case .close: "close"
        }
    }
}

extension ConnectionPlace {
    /// Of a limiter that has room.
    fileprivate static func taken() -> ConnectionPlace? {
        ConnectionPlace(ConnectionLimiter(max: 1), open: IntakeMetrics()[.http].connectionsOpen)
    }
}
