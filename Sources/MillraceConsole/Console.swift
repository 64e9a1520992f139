internal import FoundationEssentials
internal import Glibc
internal import MillraceTelemetry

/// Standard output for reports, standard error for everything else. What a stranger had a hand in can do nothing to a
/// terminal: `TerminalText`.
package enum Console {
    /// A report, or lines of one, to standard output.
    package static func out(_ text: String) {
        write(TerminalText.lines(text) + "\n", to: STDOUT_FILENO)
    }

    /// Lines to standard error.
    package static func error(_ text: String) {
        write(TerminalText.lines(text) + "\n", to: STDERR_FILENO)
    }

    /// Text for standard error without a line ending, as it is.
    package static func errorPart(_ text: String) {
        write(text, to: STDERR_FILENO)
    }

    package static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Nobody reads standard output any more: the pipe's other end is closed, or the terminal is gone.
    package static var isOutputGone: Bool {
        var entry = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&entry, 1, 0) > 0 && Int32(entry.revents) & (POLLERR | POLLHUP) != 0
    }

    /// One JSON document with sorted keys in snake_case.
    package static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        out(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // Nobody reads any more (`millrace status | head`): there is no one to tell.
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}

/// Reports progress on standard error: in place on a terminal, else a plain line every few seconds.
package struct ProgressMeter {
    private static let intervalOnTerminal = Duration.milliseconds(200)
    private static let intervalElsewhere = Duration.seconds(5)

    private let isTerminal: Bool
    private let isQuiet: Bool
    private let started = ContinuousClock.now
    private var shownAt = ContinuousClock.now
    private var shownCount = 0
    private var isLineOpen = false

    package init(isQuiet: Bool) {
        self.isQuiet = isQuiet
        isTerminal = Console.isErrorTerminal
    }

    package var elapsed: Duration { ContinuousClock.now - started }

    /// Shows `line` when it is time to; `count` is what the rate is told from.
    package mutating func update(count: Int, line: (_ elapsed: Duration, _ perSecond: Double) -> String) {
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
    package mutating func finish() {
        if isLineOpen { Console.errorPart("\r\u{1B}[K") }
        isLineOpen = false
    }
}
