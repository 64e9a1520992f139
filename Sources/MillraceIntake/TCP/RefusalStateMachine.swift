internal import NIOCore

/// Decides about the refused lines of one connection: which are kept, and when there were too many.
///
/// An accepted line makes up for a refused one. So a client that now and then sends a bad line goes on for ever, and one
/// that speaks another protocol, or whose every line is bad, ends soon.
struct RefusalStateMachine {
    private let bounds: RefusalBounds
    /// Refused lines that no accepted one made up for.
    private var excess = 0
    /// Refused lines since `burstStart`.
    private var burst = 0
    private var burstStart: NIODeadline?

    init(bounds: RefusalBounds) {
        self.bounds = bounds
    }

    /// The connection is to be closed, and no further line to be taken.
    var isSpent: Bool { excess >= bounds.linesMax }

    mutating func lineAccepted() {
        if excess > 0 { excess -= 1 }
    }

    /// Returns whether the line is kept, where refused lines are.
    mutating func lineRefused(at now: NIODeadline) -> Bool {
        excess += 1
        if let start = burstStart, now - start < TimeAmount(bounds.burstInterval) {
            burst += 1
        } else {
            burstStart = now
            burst = 1
        }
        return burst <= bounds.burstLines || (burst - bounds.burstLines).isMultiple(of: bounds.sampledOneIn)
    }
}
