internal import MillraceChannels
internal import MillraceEvent
internal import NIOCore

/// Decides about one TCP connection: what its lines count as, when it may be read, what is answered in which order,
/// and when it ends. No I/O; lines and outcomes come in, answers go out.
///
/// Lines are numbered from 1 as the client sent them; the greeting and empty lines are not counted. Batches are
/// answered in the order in which they came, whatever order they settle in.
struct TCPConnectionStateMachine {
    enum Mode: Equatable {
        /// Nothing but empty lines yet.
        case awaitingFirstLine
        /// No greeting: nothing is ever answered.
        case oneWay
        case answering(Submission.Acknowledgement)
    }

    /// What is written once all batches up to here are settled.
    struct Answer: Equatable {
        /// In order of line.
        var refusals: [LineRefusal]
        /// The first lines of the connection that are settled now.
        var ack: UInt64
    }

    struct LineRefusal: Equatable {
        var line: UInt64
        var refusal: Refusal
    }

    private struct Batch {
        var id: UInt64
        var lastLine: UInt64
        var byteCount: Int
        var refusals: [LineRefusal]
        var isSettled = false
    }

    private(set) var mode = Mode.awaitingFirstLine
    /// Number of the last line seen.
    private(set) var lineNumber: UInt64 = 0
    /// Bytes of batches whose answer is still to come.
    private(set) var unansweredBytes = 0
    private var batches = CircularBuffer<Batch>()
    private var nextBatch: UInt64 = 0
    private(set) var isInputEnded = false
    private(set) var isQuiescing = false
    private let inflightBytesMax: Int

    init(inflightBytesMax: Int) {
        self.inflightBytesMax = inflightBytesMax
    }

    var acknowledgement: Submission.Acknowledgement {
        if case .answering(let acks) = mode { acks } else { .spooled }
    }

    var isOneWay: Bool { mode == .oneWay }

    /// True while another batch may be cut from what was read.
    var mayCut: Bool { unansweredBytes < inflightBytesMax }

    /// True while more may be read from the socket.
    var mayRead: Bool { mayCut && !isInputEnded && !isQuiescing }

    /// True when nothing waits for an answer.
    var isSettled: Bool { batches.isEmpty }

    /// The batch whose answer comes next.
    var oldestBatch: UInt64? { batches.first?.id }

    /// The first line that is not empty came, and was a greeting or not.
    mutating func firstLineReceived(greeting: TCPGreeting?) {
        precondition(mode == .awaitingFirstLine, "only the first line may be a greeting")
        mode = greeting.map { .answering($0.acks) } ?? .oneWay
    }

    /// A line that counts came; returns its number.
    mutating func lineReceived() -> UInt64 {
        lineNumber += 1
        return lineNumber
    }

    /// All lines up to the last one received are on their way. Returns the batch's name.
    mutating func batchSubmitted(byteCount: Int, refusals: [LineRefusal]) -> UInt64 {
        nextBatch += 1
        batches.append(Batch(id: nextBatch, lastLine: lineNumber, byteCount: byteCount, refusals: refusals))
        unansweredBytes += byteCount
        return nextBatch
    }

    /// Every line of a batch is settled. Returns what is to be written, if this was the oldest one that was open.
    mutating func batchSettled(_ id: UInt64) -> Answer? {
        guard let first = batches.first else { return nil }
        // Names are consecutive, so the place follows from the name.
        guard id >= first.id, id - first.id < UInt64(batches.count) else { return nil }
        batches[batches.index(batches.startIndex, offsetBy: Int(id - first.id))].isSettled = true
        var answer: Answer?
        while let batch = batches.first, batch.isSettled {
            batches.removeFirst()
            unansweredBytes -= batch.byteCount
            answer = Answer(refusals: (answer?.refusals ?? []) + batch.refusals, ack: batch.lastLine)
        }
        guard case .answering = mode else { return nil }
        return answer
    }

    mutating func inputEnded() {
        isInputEnded = true
    }

    mutating func quiesceRequested() {
        isQuiescing = true
    }
}
