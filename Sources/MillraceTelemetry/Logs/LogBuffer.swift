/// Log lines that wait for their reader, up to a bound in bytes. Without I/O and locks.
///
/// A line that finds no room is dropped and counted. Lines are taken again once half of the bound is free, so that a
/// slow reader gets many lines in a row and then one notice, not a notice between any two lines.
struct LogBuffer {
    enum Entry: Equatable {
        case line(String)
        /// Written in the place of so many dropped lines.
        case notice(dropped: Int)
    }

    let bytesMax: Int
    /// Of the lines that wait, and of those that are being written.
    private(set) var bytes = 0
    private var entries: [Entry] = []
    private var writing = 0
    /// Lines that no notice tells of yet.
    private var dropped = 0
    private var isOver = false

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Everything was written, or failed to be.
    var isIdle: Bool { !hasWork && writing == 0 }

    /// Whether `take` gives something.
    var hasWork: Bool { !entries.isEmpty || isDrained }

    /// Whether the reader has caught up and a notice is due that no new line has carried yet.
    private var isDrained: Bool { isOver && dropped > 0 && bytes == 0 }

    /// False when the line was dropped.
    mutating func add(_ line: String) -> Bool {
        if isOver, bytes <= bytesMax / 2 { isOver = false }
        let count = line.utf8.count
        guard !isOver, bytes + count <= bytesMax else {
            isOver = true
            dropped += 1
            return false
        }
        tellOfDropped()
        entries.append(.line(line))
        bytes += count
        return true
    }

    /// All that waits, in order. Each is to be answered by `ended`.
    mutating func take() -> [Entry] {
        if isDrained {
            isOver = false
            tellOfDropped()
        }
        let taken = entries
        entries.removeAll()
        writing += taken.count
        return taken
    }

    /// An entry was written, or could not be. Returns the lines that are lost by that.
    mutating func ended(_ entry: Entry, isWritten: Bool) -> Int {
        writing -= 1
        switch entry {
        case .line(let line):
            bytes -= line.utf8.count
            guard !isWritten else { return 0 }
            dropped += 1
            return 1
        case .notice(let count):
            if !isWritten { dropped += count }
            return 0
        }
    }

    private mutating func tellOfDropped() {
        guard dropped > 0 else { return }
        entries.append(.notice(dropped: dropped))
        dropped = 0
    }
}
