internal import MillraceTelemetry

/// Tells progress on standard error: in place on a terminal, else a plain line every few seconds.
struct ProgressMeter {
    private static let intervalOnTerminal = Duration.milliseconds(200)
    private static let intervalElsewhere = Duration.seconds(5)

    private let isTerminal: Bool
    private let isQuiet: Bool
    private let started = ContinuousClock.now
    private var shownAt = ContinuousClock.now
    private var shownCount = 0
    private var isLineOpen = false

    init(isQuiet: Bool) {
        self.isQuiet = isQuiet
        isTerminal = Console.isErrorTerminal
    }

    var elapsed: Duration { ContinuousClock.now - started }

    /// Shows `line` when it is time to; `count` is what the rate is told from.
    mutating func update(count: Int, line: (_ elapsed: Duration, _ perSecond: Double) -> String) {
        let now = ContinuousClock.now
        guard !isQuiet, now - shownAt >= (isTerminal ? Self.intervalOnTerminal : Self.intervalElsewhere) else { return }
        let rate = Double(count - shownCount) / max(0.001, (now - shownAt).inSeconds)
        shownAt = now
        shownCount = count
        let text = line(elapsed, max(0, rate))
        if isTerminal {
            // Carriage return, the text, erase to the end of the line.
            Console.errorPart("\r\(TerminalText.line(text))\u{1B}[K")
            isLineOpen = true
        } else {
            Console.error(text)
        }
    }

    /// Clears the line on a terminal.
    mutating func finish() {
        if isLineOpen { Console.errorPart("\r\u{1B}[K") }
        isLineOpen = false
    }
}
