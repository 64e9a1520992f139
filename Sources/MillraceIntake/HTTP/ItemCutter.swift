internal import MillraceEvent

/// Cuts the text of a body into items, however it was chopped on its way.
struct ItemCutter {
    enum Format {
        /// One value, or an array of values.
        case json
        case lines
    }

    enum Step {
        /// Valid until the input is changed or the next step is taken.
        case item(UnsafeRawBufferPointer)
        /// An item of so many bytes was skipped: it was too long to keep.
        case tooLong(Int)
        case needsMore
        case broken(HTTPProblem)
    }

    let format: Format
    private let itemBytesMax: Int
    private var splitter = BodySplitter()
    /// Bytes of the last item, still in the input.
    private var usedBytes = 0
    /// Bytes at the start of the input that were looked at.
    private var scannedBytes = 0
    /// Where in the input the open item starts; nil between items.
    private var itemStart: Int?
    /// Bytes of the open item that were thrown away because it is too long.
    private var droppedBytes = 0
    /// Bytes of the body before the input's first one.
    private var offset = 0

    init(format: Format, itemBytesMax: Int) {
        self.format = format
        self.itemBytesMax = itemBytesMax
        if format == .lines { itemStart = 0 }
    }

    /// True once a JSON body came to its end: an empty array is a body, too.
    private(set) var isDone = false

    /// Takes the next step on what is in `input`.
    mutating func next(_ input: inout InputBuffer) -> Step {
        consume(usedBytes, &input)
        usedBytes = 0
        return format == .json ? nextValue(&input) : nextLine(&input)
    }

    /// The body has ended after `needsMore`: the last item, if it is open, or what is wrong.
    mutating func last(_ input: inout InputBuffer) -> Step {
        if format == .json, !splitter.isComplete {
            return .broken(HTTPProblem(.truncatedBody, "the JSON body ends in the middle of a value or array"))
        }
        guard let start = itemStart, droppedBytes > 0 || start < scannedBytes else { return .needsMore }
        let step = endItem(input.readable, start..<scannedBytes, next: scannedBytes)
        itemStart = nil
        return step
    }

    private mutating func nextValue(_ input: inout InputBuffer) -> Step {
        let bytes = input.readable
        guard scannedBytes < bytes.count else { return .needsMore }
        switch splitter.next(bytes.slice(scannedBytes..<bytes.count)) {
        case .item(let start, let end):
            let first = start.map { scannedBytes + $0 } ?? itemStart ?? 0
            itemStart = nil
            return endItem(bytes, first..<scannedBytes + end, next: scannedBytes + end)
        case .malformed(let place):
            return .broken(
                HTTPProblem(
                    .malformedBody,
                    "the body is no JSON object or array of objects at byte \(offset + scannedBytes + place); "
                        + "for one object a line use application/x-ndjson"))
        case .more(let start):
            if let start { itemStart = scannedBytes + start }
            scannedBytes = bytes.count
            keepOpenItem(&input)
            return .needsMore
        case .done:
            isDone = true
            scannedBytes = bytes.count
            keepOpenItem(&input)
            return .needsMore
        }
    }

    private mutating func nextLine(_ input: inout InputBuffer) -> Step {
        while true {
            let bytes = input.readable
            guard let end = bytes.newline(from: scannedBytes) else {
                scannedBytes = bytes.count
                keepOpenItem(&input)
                return .needsMore
            }
            if droppedBytes == 0, line(bytes.slice(0..<end)).isBlank {
                scannedBytes = end + 1
                consume(end + 1, &input)
                continue
            }
            return endItem(bytes, 0..<end, next: end + 1)
        }
    }

    private mutating func endItem(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, next: Int) -> Step {
        usedBytes = next
        scannedBytes = next
        let length = droppedBytes + range.count
        droppedBytes = 0
        guard length <= itemBytesMax else { return .tooLong(length) }
        guard format == .lines else { return .item(bytes.slice(range)) }
        var item = line(bytes.slice(range))
        if item.last == UInt8(ascii: "\r") { item = item.slice(0..<item.count - 1) }
        return item.isBlank ? .needsMore : .item(item)
    }

    /// What starts where the input does, without the byte order mark that the body may begin with.
    private func line(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        offset == 0 ? bytes.withoutByteOrderMark : bytes
    }

    /// Gives back what is not needed any more while the open item waits for its end.
    private mutating func keepOpenItem(_ input: inout InputBuffer) {
        consume(itemStart ?? scannedBytes, &input)
        guard itemStart != nil else { return }
        itemStart = 0
        if droppedBytes > 0 || scannedBytes > itemBytesMax + 1 {
            droppedBytes += scannedBytes
            consume(scannedBytes, &input)
        }
    }

    private mutating func consume(_ byteCount: Int, _ input: inout InputBuffer) {
        input.consume(byteCount)
        offset += byteCount
        scannedBytes -= byteCount
    }
}
