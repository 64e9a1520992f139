import Glibc
import MillraceTestSupport

/// A terminal without a screen, whose other side the test holds.
final class PseudoTerminal {
    /// `TIOCSPTLCK` and `TIOCGPTN` of Linux.
    private static let (lock, number): (UInt, UInt) = (0x4004_5431, 0x8004_5430)

    /// Of the side that a process gets.
    let path: String
    private let descriptor: Int32
    /// Kept open, so that the terminal stays as the process leaves it.
    private let slave: Int32
    private var shown: [UInt8] = []

    init(columns: UInt16, rows: UInt16) throws {
        descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        // Unlocked, and which it is: the calls of the C library for these are hidden from Swift.
        var (isLocked, number): (Int32, Int32) = (0, 0)
        guard descriptor >= 0, ioctl(descriptor, Self.lock, &isLocked) == 0,
            ioctl(descriptor, Self.number, &number) == 0
        else { throw TestSupportError(message: "there is no pseudo terminal: \(String(cString: strerror(errno)))") }
        path = "/dev/pts/\(number)"
        slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        resize(columns: columns, rows: rows)
    }

    deinit {
        close(slave)
        close(descriptor)
    }

    func resize(columns: UInt16, rows: UInt16) {
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(descriptor, UInt(TIOCSWINSZ), &size)
    }

    /// What was typed is shown as it is typed: the usual state.
    var echoes: Bool {
        var state = termios()
        return tcgetattr(slave, &state) == 0 && state.c_lflag & tcflag_t(ECHO) != 0
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    }

    /// All that came so far.
    private var text: String {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = read(descriptor, &piece, piece.count), count > 0 { shown += piece[..<count] }
        return String(decoding: shown, as: UTF8.self)
    }

    /// What was drawn last: from where the cursor went home to where the rest was cleared.
    var lastScreen: String {
        let screens = text.split(separator: "\u{1B}[H")
        let whole = screens.last { $0.contains("\u{1B}[J") } ?? ""
        return String(whole.prefix(upTo: whole.firstRange(of: "\u{1B}[J")?.lowerBound ?? whole.endIndex))
    }

    func waits(for wanted: String, within limit: Duration = .seconds(60)) -> Bool {
        eventually(within: limit) { text.contains(wanted) }
    }
}
