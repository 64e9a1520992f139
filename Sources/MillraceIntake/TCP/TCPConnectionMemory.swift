internal import MillraceChannels
internal import NIOCore

/// What one TCP connection holds of the memory budget, and what becomes of it when that is too little: first it is read no
/// further; a line that has been open for long meanwhile is given up with its connection, so that no set of lines that
/// never end can keep the others waiting for ever.
struct TCPConnectionMemory {
    /// What to do, given the memory that the connection holds.
    enum Verdict: Equatable {
        case fine
        /// Look again after a while: the connection is held back, or its line is long and may become old.
        case lookAgain
        /// The line is given up.
        case giveUp
    }

    private let budget: MemoryBudget
    private let reservation: MemoryReservation
    /// The connection isn't read, because memory is short.
    private(set) var isHeldBack = false
    /// When the line that is not whole began, and its number.
    private var line: (number: UInt64, since: NIODeadline)?

    init(_ budget: MemoryBudget) {
        self.budget = budget
        reservation = MemoryReservation(budget, for: .lines)
    }

    /// The budget is full: a buffer should give back the memory that its bytes don't need.
    var isScarce: Bool { budget.isFull }

    /// - Parameters:
    ///   - buffer: memory of the buffer that lines are cut from.
    ///   - lineBytes: in it, of the line that is not whole.
    ///   - lineNumber: of whole lines so far.
    ///   - waiting: bytes of lines that wait to become durable.
    mutating func holds(
        buffer: Int, lineBytes: Int, lineNumber: UInt64, waiting: Int, now: @autoclosure () -> NIODeadline
    ) -> Verdict {
        let held = buffer + waiting
        guard held > MemoryBudget.freeBytes else {
            release()
            return .fine
        }
        let now = now()
        reservation.count(held)
        if lineBytes <= MemoryBudget.freeBytes {
            line = nil
        } else if line?.number != lineNumber {
            line = (lineNumber, now)
        }
        isHeldBack = budget.isFull
        if isHeldBack { budget.noteShortage(.lines) }
        guard let line else { return isHeldBack ? .lookAgain : .fine }
        let isOld = line.since + TimeAmount(budget.lineWait) <= now
        return budget.isOverfull || isOld && budget.isShort ? .giveUp : .lookAgain
    }

    /// The connection holds nothing any more.
    mutating func release() {
        reservation.count(0)
        isHeldBack = false
        line = nil
    }

    /// How long until the next look.
    func interval(retry: TimeAmount) -> TimeAmount { isHeldBack ? retry : TimeAmount(budget.lineWait) }
}
