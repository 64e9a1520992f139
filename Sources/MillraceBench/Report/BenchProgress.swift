internal import MillraceConsole

/// One line a second on standard error: in place on a terminal; elsewhere only when told.
struct BenchProgress {
    private let isShown: Bool
    private let isTerminal: Bool
    private var isLineOpen = false

    /// `isForced`: also where nobody looks at a terminal.
    init(isQuiet: Bool, isForced: Bool) {
        isTerminal = Console.isErrorTerminal
        isShown = !isQuiet && (isTerminal || isForced)
    }

    /// `p99`: corrected, of the measured part so far.
    mutating func show(_ interval: LoadInterval, elapsed: Duration, p99Microseconds: UInt64?) {
        let rate = Int((Double(interval.answered) / max(0.001, interval.length.inSeconds)).rounded())
        var parts = [
            Format.duration(elapsed), "\(Format.count(rate)) events/s", "\(Format.count(interval.inFlight)) in flight",
        ]
        if let p99Microseconds {
            parts.append("p99 \(Format.milliseconds(p99Microseconds)) ms")
        } else {
            parts.append("ramp-up")
        }
        put(parts.joined(separator: "  "))
    }

    mutating func waiting(found: Int, of expected: Int) {
        put("waiting for the tables: \(Format.count(found)) of \(Format.count(expected))")
    }

    /// A line that stays.
    mutating func note(_ text: String) {
        finish()
        if isShown { Console.error(text) }
    }

    /// Clears the line on a terminal.
    mutating func finish() {
        if isLineOpen { Console.errorPart("\r\u{1B}[K") }
        isLineOpen = false
    }

    private mutating func put(_ text: String) {
        guard isShown else { return }
        guard isTerminal else { return Console.error(text) }
        Console.errorPart("\r\(text)\u{1B}[K")
        isLineOpen = true
    }
}
