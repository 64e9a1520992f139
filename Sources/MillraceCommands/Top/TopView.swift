internal import MillraceConsole

/// Decides what is shown at each step of the stream. A value without I/O.
struct TopView {
    enum Shown: Equatable {
        case nothing
        case screen([TopScreen.Line])
        case report(String)
        case note(String)
    }

    /// Of a report that nobody draws.
    private static let reportColumns = 80
    private static let columnsMin = 40

    private let source: String
    private let isJSON: Bool
    private let limit: Int?
    private var count = 0
    private var tick: TopTick?
    private var trouble: String?
    private var drawnSize: (columns: Int, rows: Int)?

    init(source: String, isJSON: Bool, limit: Int?) {
        self.source = source
        self.isJSON = isJSON
        self.limit = limit
    }

    var isDone: Bool { limit.map { count >= $0 } ?? false }

    /// `size`: of the terminal; nil: there is none to draw on.
    mutating func take(_ step: EventStreamSession.Step, size: (columns: Int, rows: Int)?) -> Shown {
        switch step {
        case .connected: return .nothing
        case .idle:
            guard let size, let drawnSize, size != drawnSize else { return .nothing }
            return draw(size)
        case .lost(let error):
            let isKnown = trouble != nil
            trouble = error.message
            if let size { return draw(size) }
            return isKnown ? .nothing : .note("\(error.message); it is tried again")
        case .message(let message):
            guard message.name == "tick", !isDone else { return .nothing }
            guard let tick = TopTick(json: message.data) else {
                return .note("the daemon sent a tick that can't be read: it is of another version")
            }
            (self.tick, trouble) = (tick, nil)
            count += 1
            if isJSON { return .report(message.data) }
            if let size { return draw(size) }
            let lines = TopScreen(
                tick: tick, source: source, columns: Self.reportColumns, rows: nil
            ).lines
            return .report(lines.map { $0.text.trimmedEnd }.joined(separator: "\n") + "\n")
        }
    }

    private mutating func draw(_ size: (columns: Int, rows: Int)) -> Shown {
        drawnSize = size
        guard let tick else { return .nothing }
        return .screen(
            TopScreen(
                tick: tick, source: source, trouble: trouble, columns: max(Self.columnsMin, size.columns),
                rows: size.rows
            ).lines)
    }
}

extension String {
    fileprivate var trimmedEnd: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
