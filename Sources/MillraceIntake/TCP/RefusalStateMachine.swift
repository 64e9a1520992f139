internal import NIOCore

/// Decides about the refused lines of one connection: which ones are kept, and when they are too many.
///
/// An accepted line makes up for a refused one. So a client that now and then sends a bad line goes on for ever, and one
/// that speaks another protocol, or whose every line is bad, ends soon.
struct RefusalStateMachine {
    private var linesMax: Int
    private var configuration: RefusalsConfiguration
    /// Refused lines that no accepted one made up for.
    private var excess = 0
    /// Refused lines since `burstStart`.
    private var burst = 0
    private var burstStart: NIODeadline?

    /// `linesMax`: refused lines beyond the accepted ones (`tcp.refused_lines_max`).
    init(linesMax: Int, configuration: RefusalsConfiguration) {
        self.linesMax = linesMax
        self.configuration = configuration
    }

    /// What was refused before counts on.
    mutating func boundsChanged(linesMax: Int, configuration: RefusalsConfiguration) {
        self.linesMax = linesMax
        self.configuration = configuration
    }

    /// The connection is to be closed; no further line is accepted.
    var isSpent: Bool { excess >= linesMax }

    mutating func lineAccepted() {
        if excess > 0 { excess -= 1 }
    }

    /// Returns whether the line is kept, where refused lines are.
    mutating func lineRefused(at now: NIODeadline) -> Bool {
        excess += 1
        if let start = burstStart, now - start < TimeAmount(configuration.burstInterval) {
            burst += 1
        } else {
            burstStart = now
            burst = 1
        }
        return burst <= configuration.burstLines
            || (burst - configuration.burstLines).isMultiple(of: configuration.sampledOneIn)
    }
}
