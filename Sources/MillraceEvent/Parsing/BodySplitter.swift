internal import CMillrace

/// Cuts a JSON body that streams in into its items: one object, or the values of an array. Remembers only where it
/// stands, so it can be fed any chunks.
package struct BodySplitter {
    /// What a scan came to. Offsets are into the bytes it was given.
    package enum Step: Sendable, Equatable {
        /// All bytes are used up. `itemStart`: where an item began that goes on in the next bytes; nil when it began
        /// earlier, or none is open.
        case more(itemStart: Int?)
        /// An item ends right before `end`; feed what is left from there. `start` is nil when it began in earlier bytes.
        case item(start: Int?, end: Int)
        /// The body is complete; only white space has followed so far.
        case done
        /// The byte at this offset can't stand there.
        case malformed(at: Int)
    }

    private var splitter = mr_splitter()

    package init() {}

    /// True when the body may end here: its value is complete, or nothing has come at all.
    package var isComplete: Bool {
        withUnsafePointer(to: splitter) { mr_split_is_complete($0) }
    }

    /// Scans on. Whether an item is a valid object is for `EventParser` to say.
    package mutating func next(_ bytes: UnsafeRawBufferPointer) -> Step {
        var start = Int.max
        var consumed = 0
        let result = mr_split(
            &splitter, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &start, &consumed)
        let itemStart = start == Int.max ? nil : start
        switch Int(result) {
        case MR_SPLIT_ITEM: return .item(start: itemStart, end: consumed)
        case MR_SPLIT_DONE: return .done
        case MR_SPLIT_MORE: return .more(itemStart: itemStart)
        default: return .malformed(at: consumed)
        }
    }
}
