internal import Glibc
internal import Synchronization

/// The terminal while `millrace top` has it: its other screen, without a cursor, each key at once. Gives it back as it was
/// when the object goes.
///
/// Sequences are those of ECMA-48 and xterm's 1049, which every terminal of the last decades has.
final class TerminalScreen {
    /// Set by the signals that ask the process to end.
    private static let isToEnd = Atomic<Bool>(false)

    private let before: termios
    private let hasKeys: Bool

    /// Whether standard output is a terminal that can be drawn on. `name`: `TERM`.
    static func isDrawable(_ name: String?) -> Bool {
        guard let name, !name.isEmpty, name != "dumb" else { return false }
        return isatty(STDOUT_FILENO) == 1
    }

    init() {
        var state = termios()
        hasKeys = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &state) == 0
        before = state
        for number in [SIGTERM, SIGINT, SIGHUP] {
            signal(number) { _ in TerminalScreen.isToEnd.store(true, ordering: .relaxed) }
        }
        if hasKeys {
            var raw = before
            // Ctrl-C comes as a key, so that the screen is given back first.
            raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        }
        Self.write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J")
    }

    deinit {
        Self.write("\u{1B}[?25h\u{1B}[?1049l")
        guard hasKeys else { return }
        var state = before
        tcsetattr(STDIN_FILENO, TCSANOW, &state)
    }

    /// To wait for; -1: no key will come.
    var input: Int32 { hasKeys ? STDIN_FILENO : -1 }

    /// Of now: it may be changed at any time.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// A key, or a signal, asked for the end. Does not block.
    var isToEnd: Bool {
        if Self.isToEnd.load(ordering: .relaxed) { return true }
        guard hasKeys else { return false }
        var entry = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        while poll(&entry, 1, 0) > 0 {
            var key: UInt8 = 0
            // The terminal is gone.
            guard read(STDIN_FILENO, &key, 1) == 1 else { return true }
            // Ctrl-C and Ctrl-D, where they are not asked for the end of the process.
            if key == UInt8(ascii: "q") || key == UInt8(ascii: "Q") || key == 3 || key == 4 { return true }
        }
        return false
    }

    /// Shows these lines and nothing else.
    func draw(_ lines: [TopScreen.Line]) {
        Self.write(Self.text(lines))
    }

    /// Each line in its place, the rest cleared; nothing of the lines but their letters reaches the terminal.
    static func text(_ lines: [TopScreen.Line]) -> String {
        var text = "\u{1B}[H"
        for (index, line) in lines.enumerated() {
            if index > 0 { text += "\r\n" }
            switch line.style {
            case .plain: text += line.text
            case .title: text += "\u{1B}[7m\(line.text)\u{1B}[0m"
            case .alarm: text += "\u{1B}[1m\(line.text)\u{1B}[0m"
            }
            text += "\u{1B}[K"
        }
        return text + "\u{1B}[J"
    }

    private static func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
