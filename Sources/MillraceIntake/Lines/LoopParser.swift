internal import MillraceEvent
internal import NIOPosix

/// The parser of an event loop: its buffers are large, so that all connections of a loop share one.
final class LoopParser: @unchecked Sendable {  // SAFETY: reached only through `ofThisThread`, by its own event loop.
    private static let current = ThreadSpecificVariable<LoopParser>()

    /// One parser for each thread that asks.
    static var ofThisThread: EventParser {
        if let held = current.currentValue { return held.parser }
        let held = LoopParser()
        current.currentValue = held
        return held.parser
    }

    private let parser = EventParser()
}
