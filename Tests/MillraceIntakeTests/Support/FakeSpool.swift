import MillraceChannels
import MillraceEvent
import Synchronization

/// Takes submissions from a record channel and answers them as told.
final class FakeSpool: Sendable {
    enum Mode {
        /// Answers at once: durable, or committed when that was asked for.
        case taking
        /// Keeps submissions without an answer, until `release`.
        case holding
        case failing(SpoolRefusal)
        /// Answers durable at once, as a daemon that stops before the commit.
        case stopping
    }

    private struct State {
        var mode = Mode.taking
        var records: [Record] = []
        var held: [Submission] = []
        var nextSequence: UInt64 = 1
        var duplicates = 0
    }

    let channel: RecordChannel
    private let state = Mutex(State())

    init(bytesMax: Int = 1 << 20) {
        channel = RecordChannel(bytesMax: bytesMax)
    }

    func run() async {
        while true {
            let submissions = await channel.next()
            if submissions.isEmpty { return }
            for submission in submissions { take(submission) }
        }
    }

    func setMode(_ mode: Mode) { state.withLock { $0.mode = mode } }

    /// How many lines of each committed submission count as duplicates.
    func setDuplicates(_ count: Int) { state.withLock { $0.duplicates = count } }

    var records: [Record] { state.withLock { $0.records } }
    var heldCount: Int { state.withLock { $0.held.count } }

    /// The lines of one kind, in order.
    func lines(_ kind: RecordKind = .event) -> [String] {
        records.filter { $0.kind == kind }.flatMap { record in
            String(decoding: record.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }

    /// Answers what is held, in the order given by `order`, and goes on taking.
    func release(reversed: Bool = false) {
        let held = state.withLock { state in
            state.mode = .taking
            defer { state.held = [] }
            return state.held
        }
        for submission in reversed ? held.reversed() : held { take(submission) }
    }

    private func take(_ submission: Submission) {
        let outcome = state.withLock { state -> Submission.Outcome? in
            switch state.mode {
            case .holding:
                state.held.append(submission)
                return nil
            case .failing(let refusal):
                return .failed(refusal)
            case .taking, .stopping:
                state.records += submission.records
                let range = state.nextSequence..<state.nextSequence + UInt64(submission.count)
                state.nextSequence = range.upperBound
                if case .stopping = state.mode { return .durable(range) }
                var lines = CommittedLines()
                lines.duplicates = state.duplicates
                return submission.acknowledgement == .committed ? .committed(range, lines) : .durable(range)
            }
        }
        if let outcome { submission.reply(outcome) }
    }
}
