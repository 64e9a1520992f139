import MillraceAccess
import MillraceChannels
import MillraceEvent
import NIOCore
import Testing

@testable import MillraceIntake

/// What a connection's machine says is to be done, on a clock that the test moves.
struct TCPConnectionStateMachineTests {
    private final class Connection {
        private var machine: TCPConnectionStateMachine
        private var now = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        private var lastLine: UInt64 = 0
        private var sent: [UInt64: TCPBatch] = [:]

        init(hasPlace: Bool = true, _ configure: (inout TCPIntakeConfiguration) -> Void = { _ in }) {
            var configuration = TCPIntakeConfiguration()
            configuration.tcp.inflightBytesMax = 100
            configure(&configuration)
            machine = TCPConnectionStateMachine(
                bounds: TCPConnectionBounds(configuration), refusal: hasPlace ? nil : .tooManyConnections, at: now)
        }

        /// A connection whose first line is a greeting, or an event.
        convenience init(
            _ acks: Submission.Acknowledgement?, _ configure: (inout TCPIntakeConfiguration) -> Void = { _ in }
        ) {
            self.init(hasPlace: true, configure)
            _ = happens {
                $0.firstLineReceived(acks.map { .greeting(TCPGreeting(acks: $0)) } ?? .event)
            }
        }

        /// What is to be done once `event` has happened, up to what the machine wants to be told about.
        func happens(_ event: (inout TCPConnectionStateMachine) -> Void) -> [String] {
            event(&machine)
            var actions: [String] = []
            while let action = machine.next(at: now) {
                actions.append(describe(action))
                switch action {
                case .cut, .askSpool: return actions
                default: break
                }
            }
            return actions
        }

        func happensNow(_ event: (inout TCPConnectionStateMachine, NIODeadline) -> Void) -> [String] {
            happens { event(&$0, now) }
        }

        /// Bytes came, of which `lines` were cut.
        func receives(lines: UInt64, refused: [UInt64] = [], byteCount: Int = 10) -> [String] {
            let asked = happensNow { $0.bytesReceived(at: $1) }
            return asked == ["cut"] ? cuts(lines: lines, refused: refused, byteCount: byteCount) : asked
        }

        func cuts(
            lines: UInt64, refused: [UInt64] = [], byteCount: Int = 10, isLast: Bool = true, isSpent: Bool = false
        ) -> [String] {
            lastLine += lines
            let accepted = Int(lines) - refused.count
            let record = Record(kind: .event, tenant: 0, receivedAt: .now, count: accepted, bytes: [])
            let batch = TCPBatch(
                records: accepted > 0 ? [record] : [],
                refusals: refused.map { TCPAnswer.Refusal(line: $0, refusal: Refusal(.invalidJSON, "bad")) },
                lastLine: lastLine, byteCount: byteCount)
            return happens {
                $0.linesReceived(
                    TCPLineReader.Cut(batch: lines > 0 ? batch : nil, isLast: isLast, isSpent: isSpent))
            }
        }

        func acks(_ id: UInt64, isCommitted: Bool = false) -> [String] {
            happens { $0.ackReady(id, isCommitted ? (0..<1, CommittedLines()) : nil) }
        }

        func refuses(_ id: UInt64, _ refusal: SpoolRefusal) -> [String] {
            guard let batch = sent[id] else { return ["\(id) was not submitted"] }
            return happensNow { $0.batchRefused(batch, id: id, refusal, at: $1) }
        }

        func passes(_ time: TimeAmount) -> [String] {
            now = now + time
            return happensNow { $0.deadlineElapsed(at: $1) }
        }

        /// From now; nil when there is none.
        var deadline: TimeAmount? { machine.deadline.map { $0 - now } }
        var asksToRead: Bool { machine.readAsked() }
        var readsOn: Bool { machine.takeRead() }

        private func describe(_ action: TCPConnectionStateMachine.Action) -> String {
            switch action {
            case .greet: return "greet"
            case .tellLimit: return "tell limit"
            case .cut(let takesLast): return takesLast ? "cut with the last" : "cut"
            case .submit(let batch, let id, let acknowledgement):
                sent[id] = batch
                return "submit \(id)" + (acknowledgement == .committed ? " for its commit" : "")
            case .awaitChannel: return "await channel"
            case .askSpool: return "ask spool"
            case .answer(let answer):
                return answer.refusals.map { "refuse \($0.line), " }.joined() + "ack \(answer.ack)"
            case .end(let end): return end.map { "end \($0.code.rawValue)" } ?? "end"
            case .dropLines: return "drop lines"
            case .abandon(let lineCount): return "abandon \(lineCount)"
            case .joinWaiters: return "join waiters"
            case .leaveWaiters: return "leave waiters"
            case .leavePlace: return "leave place"
            case .close: return "close"
            }
        }
    }

    @Test func `a greeting is answered once, and decides what an ack means`() {
        let connection = Connection()
        #expect(connection.happensNow { $0.bytesReceived(at: $1) } == ["cut"])
        #expect(
            connection.happens { $0.firstLineReceived(.greeting(TCPGreeting(acks: .committed))) } == ["greet", "cut"])
        #expect(connection.cuts(lines: 2) == ["submit 1 for its commit"])
        #expect(connection.acks(1, isCommitted: true) == ["ack 2"])
    }

    @Test(arguments: [
        (TCPFirstLine.invalidGreeting("no"), "end invalid_hello"), (.httpRequest, "end http_on_tcp"),
    ])
    func `a bad first line ends the connection with its reason`(line: TCPFirstLine, end: String) {
        let connection = Connection()
        #expect(connection.happens { $0.firstLineReceived(line) } == [end])
        #expect(connection.receives(lines: 1) == [])
    }

    @Test func `a connection that is one too many is told so, and has no place to leave`() {
        let connection = Connection(hasPlace: false)
        #expect(connection.happens { _ in } == ["end too_many_connections"])
        #expect(connection.happens { $0.socketClosed() } == [])
    }

    @Test func `who is not let in is told so at its time, and read no further`() {
        let connection = Connection()
        let end = TCPConnectionEnd(.unauthenticated)
        #expect(connection.happensNow { $0.accessRefused(end, at: $1 + .milliseconds(200)) } == ["drop lines"])
        #expect(!connection.asksToRead && connection.deadline == .milliseconds(200))
        #expect(connection.passes(.milliseconds(199)) == [])
        #expect(connection.passes(.milliseconds(1)) == ["end unauthenticated"])
        let silent = Connection()
        #expect(silent.happensNow { $0.accessRefused(nil, at: $1) } == ["drop lines", "close"])
    }

    @Test func `a connection whose key ends takes no more lines, and keeps the acks of those it took`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 2) == ["submit 1"])
        var hasEnded = false
        #expect(connection.happensNow { hasEnded = $0.accessEnded(TCPConnectionEnd(.unauthenticated), at: $1) } == [])
        #expect(hasEnded)
        #expect(connection.receives(lines: 1) == [])
        #expect(connection.acks(1) == ["ack 2", "end unauthenticated"])
        let waiting = Connection(.committed)
        #expect(waiting.receives(lines: 2) == ["submit 1 for its commit"])
        #expect(waiting.happensNow { _ = $0.accessEnded(TCPConnectionEnd(.unauthenticated), at: $1) } == [])
        #expect(waiting.passes(.seconds(2)) == ["end unauthenticated"])
    }

    @Test func `over its rate a connection is not read until it may, and is told once`() {
        let connection = Connection(.spooled)
        #expect(connection.happensNow { $0.bytesReceived(at: $1) } == ["cut"])
        #expect(connection.happensNow { _ = $0.rateExceeded(until: $1 + .seconds(1)) } == ["tell limit"])
        #expect(!connection.asksToRead && connection.deadline == .seconds(1))
        #expect(connection.passes(.milliseconds(999)) == [])
        #expect(connection.passes(.milliseconds(1)) == ["cut"])
        #expect(connection.happensNow { _ = $0.rateExceeded(until: $1 + .seconds(1)) } == [])
        #expect(connection.passes(.seconds(1)) == ["cut"])
        #expect(connection.cuts(lines: 1) == ["submit 1"])
        #expect(connection.readsOn)
    }

    @Test func `without acks nothing is told of a rate, and what came before the end goes in later`() {
        let connection = Connection(nil)
        #expect(connection.happensNow { $0.bytesReceived(at: $1) } == ["cut"])
        #expect(connection.happensNow { _ = $0.rateExceeded(until: $1 + .seconds(1)) } == [])
        #expect(connection.happens { $0.socketClosed() } == [])
        #expect(connection.passes(.seconds(1)) == ["cut"])
        #expect(connection.cuts(lines: 1) == ["submit 1", "drop lines"])
    }

    @Test func `a daemon that stops takes what it has read, whatever the rate`() {
        let connection = Connection(.spooled)
        #expect(connection.happensNow { $0.bytesReceived(at: $1) } == ["cut"])
        #expect(connection.happensNow { _ = $0.rateExceeded(until: $1 + .seconds(60)) } == ["tell limit"])
        #expect(connection.happensNow { $0.drainRequested(at: $1) } == ["cut"])
        var isHeldBack = true
        _ = connection.happensNow { isHeldBack = $0.rateExceeded(until: $1 + .seconds(60)) }
        #expect(!isHeldBack)
    }

    @Test func `where keys are wanted a connection that says nothing ends`() {
        let connection = Connection { $0.access = IntakeAccess(keyRing: KeyRing(isRequired: true)) }
        #expect(connection.deadline == .seconds(10))
        #expect(connection.passes(.seconds(10)) == ["end unauthenticated"])
    }

    @Test func `a batch is answered after those before it, with the lines that were refused`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 2, refused: [1]) == ["submit 1"])
        #expect(connection.receives(lines: 3, refused: [4]) == ["submit 2"])
        #expect(connection.receives(lines: 1, refused: [6]) == [])
        #expect(connection.acks(2) == [])
        #expect(connection.acks(1) == ["refuse 1, refuse 4, refuse 6, ack 6"])
        #expect(connection.acks(1) == [])
    }

    @Test func `a connection without a greeting is never answered`() {
        let connection = Connection(nil)
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.acks(1) == [])
        #expect(connection.happensNow { $0.inputClosed(at: $1) } == ["cut with the last"])
        #expect(connection.cuts(lines: 0) == ["end"])
    }

    @Test func `reading stops at the bound on unanswered bytes, and goes on below it`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 1, byteCount: 100) == ["submit 1"])
        #expect(!connection.asksToRead && !connection.readsOn)
        #expect(connection.receives(lines: 1) == [])
        #expect(connection.acks(1) == ["ack 1", "cut"])
        #expect(connection.readsOn && !connection.readsOn)
    }

    @Test func `a full record channel is waited for`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.happens { $0.channelFilled() } == ["await channel"])
        #expect(connection.receives(lines: 1) == [])
        #expect(!connection.asksToRead)
        #expect(connection.happens { $0.channelEmptied() } == ["cut"])
        #expect(connection.readsOn)
    }

    @Test func `a client that does not read its acks is read no further, and still gets them`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.happens { $0.writabilityChanged(false) } == [])
        #expect(connection.receives(lines: 1) == [])
        #expect(!connection.asksToRead)
        #expect(connection.acks(1) == ["ack 1"])
        #expect(connection.happens { $0.writabilityChanged(true) } == ["cut"])
        #expect(connection.readsOn)
    }

    @Test func `what the spool refused is offered again once it takes lines, and nothing is cut before`() {
        let connection = Connection(.spooled) { $0.tcp.retryInterval = .milliseconds(250) }
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.refuses(1, .spoolFull) == [])
        #expect(connection.receives(lines: 1) == [])
        #expect(connection.deadline == .milliseconds(250))
        #expect(connection.passes(.milliseconds(249)) == [])
        #expect(connection.passes(.milliseconds(1)) == ["ask spool"])
        #expect(connection.happensNow { $0.spoolAsked(nil, at: $1) } == ["submit 1", "cut"])
    }

    @Test func `a spool that still refuses is asked again later`() {
        let connection = Connection(.spooled) { $0.tcp.retryInterval = .milliseconds(250) }
        _ = connection.receives(lines: 1)
        _ = connection.refuses(1, .spoolFailed)
        #expect(connection.passes(.milliseconds(250)) == ["ask spool"])
        #expect(connection.happensNow { $0.spoolAsked(.spoolFailed, at: $1) } == [])
        #expect(connection.deadline == .milliseconds(250))
    }

    @Test func `half-close is answered to the end`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 2) == ["submit 1"])
        #expect(connection.happensNow { $0.inputClosed(at: $1) } == ["cut with the last"])
        #expect(connection.cuts(lines: 1) == ["submit 2"])
        #expect(connection.acks(1) == ["ack 2"])
        #expect(connection.acks(2) == ["ack 3", "end"])
        #expect(connection.happensNow { $0.outputClosed(at: $1) } == ["close"])
        #expect(connection.happens { $0.socketClosed() } == ["leave place"])
        #expect(connection.deadline == nil)
    }

    @Test func `a half-closed connection that waits for a commit gives its place up, and waits no longer than it may`()
    {
        let connection = Connection(.committed) { $0.intake.committedWait = .seconds(30) }
        #expect(connection.receives(lines: 1) == ["submit 1 for its commit"])
        #expect(connection.happensNow { $0.inputClosed(at: $1) } == ["join waiters", "cut with the last"])
        #expect(connection.happens { $0.waitersJoined() } == ["cut with the last"])
        #expect(connection.cuts(lines: 0) == [])
        #expect(connection.deadline == .seconds(30))
        #expect(connection.passes(.seconds(30)) == ["close"])
        #expect(connection.happens { $0.socketClosed() } == ["drop lines"])
        #expect(connection.acks(1, isCommitted: true) == ["leave waiters"])
    }

    @Test func `a line that is durable but not committed when the daemon stops gets no ack for a commit`() {
        let connection = Connection(.committed)
        #expect(connection.receives(lines: 1) == ["submit 1 for its commit"])
        #expect(connection.acks(1) == ["close"])
    }

    @Test func `a silent peer is told and closed, one that waits for its ack is not`() {
        let connection = Connection(.spooled) { $0.tcp.idleTimeout = .seconds(60) }
        #expect(connection.deadline == .seconds(60))
        #expect(connection.passes(.seconds(30)) == [])
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.deadline == .seconds(60))
        #expect(connection.passes(.seconds(60)) == [])
        #expect(connection.acks(1) == ["ack 1"])
        #expect(connection.passes(.seconds(60)) == ["end idle_timeout"])
        #expect(connection.happensNow { $0.outputClosed(at: $1) } == [])
        #expect(connection.deadline == .seconds(1))
        #expect(connection.passes(.seconds(1)) == ["close"])
    }

    @Test func `a silent peer without acks is closed without a word`() {
        let connection = Connection(nil) { $0.tcp.idleTimeout = .seconds(60) }
        #expect(connection.passes(.seconds(60)) == ["end"])
    }

    @Test func `a drain takes what was received, answers it, and reads no more`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.happensNow { $0.drainRequested(at: $1) } == [])
        #expect(!connection.asksToRead)
        #expect(connection.acks(1) == ["ack 1", "end"])
    }

    @Test func `a drain that nobody answers is bounded`() {
        let connection = Connection(.spooled) { $0.intake.drainLimit = .seconds(10) }
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.happensNow { $0.drainRequested(at: $1) } == [])
        #expect(connection.passes(.seconds(10)) == ["close"])
        #expect(connection.happens { $0.socketClosed() } == ["leave place", "drop lines"])
    }

    @Test func `a spool that drains ends a connection with its last true ack`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.receives(lines: 1) == ["submit 2"])
        #expect(connection.refuses(2, .draining) == [])
        #expect(connection.acks(1) == ["ack 1", "close"])
    }

    @Test func `lines without acks that a spool refuses while it drains are counted`() {
        let connection = Connection(nil)
        #expect(connection.receives(lines: 3) == ["submit 1"])
        #expect(connection.receives(lines: 2) == ["submit 2"])
        #expect(connection.happens { $0.socketClosed() } == ["drop lines"])
        #expect(connection.refuses(1, .draining) == ["abandon 3", "leave place"])
        #expect(connection.refuses(2, .draining) == ["abandon 2"])
    }

    @Test func `what a client without acks sent whole goes in after its socket is gone`() {
        let connection = Connection(nil)
        #expect(connection.receives(lines: 1, byteCount: 100) == ["submit 1"])
        #expect(connection.receives(lines: 1) == [])
        #expect(connection.happens { $0.socketClosed() } == [])
        #expect(connection.acks(1) == ["cut"])
        #expect(connection.cuts(lines: 1) == ["submit 2", "drop lines"])
        #expect(connection.acks(2) == ["leave place"])
    }

    @Test func `what a client with acks sent goes away with its socket`() {
        let connection = Connection(.spooled)
        #expect(connection.receives(lines: 1) == ["submit 1"])
        #expect(connection.refuses(1, .spoolFull) == [])
        #expect(connection.happens { $0.socketClosed() } == ["leave place", "drop lines"])
        #expect(connection.deadline == nil)
    }

    @Test func `too many refused lines end the connection after the answers to all that was taken`() {
        let connection = Connection(.spooled)
        #expect(connection.happensNow { $0.bytesReceived(at: $1) } == ["cut"])
        #expect(connection.cuts(lines: 3, refused: [2, 3], isLast: false, isSpent: true) == ["submit 1"])
        #expect(connection.acks(1) == ["refuse 2, refuse 3, ack 3", "end too_many_refused_lines"])
    }

    @Test func `a line that is open for long is given up when its memory is wanted`() {
        let budget = MemoryBudget(MemoryConfiguration(budget: 100_000, lineWait: .seconds(60)))
        let connection = Connection(.spooled) { $0.memory = budget }
        #expect(connection.happensNow { $0.bytesHeld(100_000, lineBytes: 100_000, lineNumber: 0, at: $1) } == [])
        #expect(!connection.asksToRead && budget.usedBytes == 100_000)
        #expect(
            connection.happensNow { $0.bytesHeld(125_000, lineBytes: 125_000, lineNumber: 0, at: $1) }
                == ["end \(MemoryShortage.code)"])
        #expect(connection.readsOn && budget.usedBytes == 0)
    }
}
