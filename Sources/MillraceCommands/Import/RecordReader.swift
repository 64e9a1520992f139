internal import MillraceJSON

/// Cuts a file into records while it streams: an array of records, an object with named arrays, one record, or a record
/// a line. Remembers where it stands, so that memory is bounded by the longest record taken.
///
/// 1. What a record is, is told by brackets and quotes alone; whether it is one is for others to say. So a record
///    that is no valid JSON does not spoil those after it, as long as its brackets and quotes are in pairs.
/// 2. An object is one with named arrays as soon as a member that is the name of an array of records has an array for
///    its value. Until then it is held whole, as it may be a record itself; lines may follow it.
final class RecordReader {
    enum Next: Equatable {
        /// `collection`: the name of the array it stands in, in snake_case; nil when that had none.
        case record(ArraySlice<UInt8>, collection: String?, place: RecordPlace)
        /// Longer than `recordBytesMax`; dropped while it was read.
        case tooLong(collection: String?, place: RecordPlace)
        /// A member, beside named arrays, that holds something else than plain values and is no array of records.
        case unknownMember(name: String, place: RecordPlace)
        /// What follows can't be told apart any more.
        case broken(String, place: RecordPlace)
        case needsInput
        case ended
    }

    private enum Mode: Equatable {
        case start
        /// In the array, before an element or its end.
        case arrayGap(afterElement: Bool)
        case element
        /// In the object, before a name or its end.
        case objectGap(afterMember: Bool)
        case name
        case colon
        case memberValue
        case lines
        /// After the array, or the object with named arrays.
        case trailing
        case ended
    }

    /// Longest name of a member that can be the name of an array of records, with its quotes.
    private static let nameBytesMax = 256

    private let isCollection: (String) -> Bool
    private let holdsLines: Bool
    private let recordBytesMax: Int
    private var window: RecordWindow
    /// Where what is being cut out begins: a record, a line, a name, a member's value.
    private var start = 0
    /// Where an object begins that may be a record itself; nil when it can't be one any more.
    private var objectStart: Int?
    private var objectPlace = RecordPlace(line: 1, column: 1, offsetBytes: 0, index: nil)
    private var isObjectDropped = false
    private var value = JSONScanner()
    private var mode = Mode.start
    private var collection: String?
    private var index = 0
    private var isInDocument = false
    private var memberName = ""
    /// Told at the end of the object, when it is known to be one with named arrays.
    private var unknownMembers: [(name: String, place: RecordPlace)] = []
    /// Of a record that is being dropped.
    private var droppedPlace: RecordPlace?
    private var isFileEnded = false

    /// `holdsLines`: a record a line, whatever the first byte is. `isCollection`: whether a name, in snake_case, is that
    /// of an array of records. `recordBytesMax`: longest record taken, what is nested in it included.
    init(
        descriptor: Int32, holdsLines: Bool, recordBytesMax: Int = LineReader.lineBytesMax,
        isCollection: @escaping (String) -> Bool
    ) {
        window = RecordWindow(descriptor: descriptor)
        self.holdsLines = holdsLines
        self.recordBytesMax = recordBytesMax
        self.isCollection = isCollection
    }

    /// The caller's; not closed here.
    var descriptor: Int32 { window.descriptor }

    /// Of the file as it stands, before decompression; nil when it is no regular file.
    var totalBytes: Int? { window.totalBytes }

    /// Of the file as it stands.
    var readBytes: Int { window.readBytes }

    /// Reads once from the descriptor. Blocks when nothing is there.
    func read() throws(CommandError) { try window.read() }

    func next() -> Next {
        while true {
            if mode == .ended { return .ended }
            if let next = step() { return next }
            if isFileEnded { return atEnd() }
            dropOrCompact()
            do throws(CommandError) {
                if try window.decode() { continue }
            } catch {
                return broken(error.message, at: window.scan)
            }
            guard window.isInputEnded else { return .needsInput }
            isFileEnded = true
        }
    }

    /// What can be told from the bytes that are there; nil when it takes more of them.
    private func step() -> Next? {
        while true {
            let before = mode
            let result: Next? =
                switch mode {
                case .start: begin()
                case .arrayGap(let afterElement): arrayGap(afterElement)
                case .element: element()
                case .objectGap(let afterMember): objectGap(afterMember)
                case .name: name()
                case .colon: colon()
                case .memberValue: skipMember()
                case .lines: cutLine()
                case .trailing: trailing()
                case .ended: .ended
                }
            if let result { return result }
            if mode == before { return nil }
        }
    }

    // MARK: - Modes. Each returns nil with the mode unchanged when it needs more bytes.

    private func begin() -> Next? {
        guard window.skipByteOrderMark(isFileEnded: isFileEnded) else { return nil }
        if holdsLines {
            startLines()
            return nil
        }
        guard let byte = window.nextByte() else { return nil }
        switch byte {
        case UInt8(ascii: "["):
            window.scan += 1
            startArray(nil)
        case UInt8(ascii: "{"):
            objectStart = window.scan
            objectPlace = window.place(at: window.scan)
            window.scan += 1
            mode = .objectGap(afterMember: false)
        default: return broken("it begins with neither [ nor {", at: window.scan)
        }
        return nil
    }

    private func startLines() {
        start = window.scan
        mode = .lines
        collection = nil
    }

    private func startArray(_ name: String?) {
        collection = name
        index = 0
        mode = .arrayGap(afterElement: false)
    }

    private func arrayGap(_ afterElement: Bool) -> Next? {
        guard let byte = window.nextByte() else { return nil }
        if byte == UInt8(ascii: "]") {
            window.scan += 1
            collection = nil
            mode = isInDocument ? .objectGap(afterMember: true) : .trailing
            return nil
        }
        if afterElement {
            guard byte == UInt8(ascii: ",") else {
                return broken("a comma is missing between two records", at: window.scan)
            }
            let gap = window.scan
            window.scan += 1
            guard let following = window.nextByte() else {
                window.scan = gap
                return nil
            }
            guard !Self.endsValue(following) else {
                return broken("a record is missing after the comma", at: window.scan)
            }
        } else if Self.endsValue(byte) {
            return broken("a record is wanted here", at: window.scan)
        }
        start = window.scan
        value = JSONScanner()
        mode = .element
        return nil
    }

    private func element() -> Next? {
        guard let end = window.scanValue(&value) else { return nil }
        defer {
            index += 1
            mode = .arrayGap(afterElement: true)
        }
        return record(start..<end, index: index)
    }

    private func objectGap(_ afterMember: Bool) -> Next? {
        if isInDocument, !unknownMembers.isEmpty {
            let (name, place) = unknownMembers.removeFirst()
            return .unknownMember(name: name, place: place)
        }
        guard var byte = window.nextByte() else { return nil }
        if byte == UInt8(ascii: "}") {
            window.scan += 1
            if isInDocument {
                mode = .trailing
                return nil
            }
            let whole = (objectStart ?? window.scan)..<window.scan
            objectStart = nil
            unknownMembers = []
            startLines()
            if isObjectDropped || whole.count > recordBytesMax {
                return .tooLong(collection: nil, place: objectPlace)
            }
            return .record(window[whole], collection: nil, place: objectPlace)
        }
        let gap = window.scan
        if afterMember {
            guard byte == UInt8(ascii: ",") else {
                return broken("a comma is missing between two members", at: window.scan)
            }
            window.scan += 1
            guard let following = window.nextByte() else {
                window.scan = gap
                return nil
            }
            byte = following
        }
        guard byte == UInt8(ascii: "\"") else {
            return broken("the name of a member is wanted here", at: window.scan)
        }
        start = window.scan
        value = JSONScanner()
        mode = .name
        return nil
    }

    private func name() -> Next? {
        guard let end = window.scanValue(&value) else { return nil }
        let text = window[start..<end]
        memberName = text.count <= Self.nameBytesMax ? JSONString.text(of: text) : ""
        mode = .colon
        return nil
    }

    private func colon() -> Next? {
        let gap = window.scan
        guard let byte = window.nextByte() else { return nil }
        guard byte == UInt8(ascii: ":") else {
            return broken("a colon is missing after the name", at: window.scan)
        }
        window.scan += 1
        guard let first = window.nextByte() else {
            window.scan = gap
            return nil
        }
        guard !Self.endsValue(first) else {
            return broken("a value is missing after the name", at: window.scan)
        }
        let name = SnakeCase.from(memberName)
        if first == UInt8(ascii: "["), isCollection(name) {
            objectStart = nil
            isInDocument = true
            window.scan += 1
            startArray(name)
            return nil
        }
        if first == UInt8(ascii: "[") || first == UInt8(ascii: "{"), unknownMembers.count < 16 {
            unknownMembers.append((memberName, window.place(at: window.scan)))
        }
        start = window.scan
        value = JSONScanner()
        mode = .memberValue
        return nil
    }

    private func skipMember() -> Next? {
        guard let end = window.scanValue(&value) else { return nil }
        if end == start { return broken("a value is missing after the name", at: end) }
        mode = .objectGap(afterMember: true)
        return nil
    }

    private func cutLine() -> Next? {
        while true {
            guard let ending = window.find(UInt8(ascii: "\n")) else {
                window.scanAll()
                guard isFileEnded, start < window.scan || droppedPlace != nil else { return nil }
                let last = start..<window.scan
                start = window.scan
                return droppedPlace == nil && window.isBlank(last) ? nil : record(last, index: nil)
            }
            let whole = start..<ending
            window.scan = ending + 1
            start = window.scan
            if droppedPlace == nil, window.isBlank(whole) { continue }
            return record(whole, index: nil)
        }
    }

    private func trailing() -> Next? {
        guard window.nextByte() != nil else { return nil }
        return broken("something follows where the file should end", at: window.scan)
    }

    private func atEnd() -> Next {
        switch mode {
        case .start, .lines, .trailing, .ended:
            mode = .ended
            return .ended
        case .element: return broken("the file ends in the middle of a record", at: start)
        case .arrayGap: return broken("the file ends before the array does", at: window.scan)
        case .objectGap, .name, .colon, .memberValue:
            return broken("the file ends before the object does", at: objectStart ?? window.scan)
        }
    }

    private static func endsValue(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
            || byte == UInt8(ascii: ":")
    }

    private func record(_ range: Range<Int>, index: Int?) -> Next {
        if let place = droppedPlace {
            droppedPlace = nil
            return .tooLong(collection: collection, place: place)
        }
        var place = window.place(at: range.lowerBound)
        place.index = index
        if range.count > recordBytesMax { return .tooLong(collection: collection, place: place) }
        return .record(window[range], collection: collection, place: place)
    }

    private func broken(_ message: String, at position: Int) -> Next {
        var place = window.place(at: max(position, window.countedLinesEnd))
        switch mode {
        case .element, .arrayGap: place.index = index
        case .start, .objectGap, .name, .colon, .memberValue, .lines, .trailing, .ended: break
        }
        mode = .ended
        return .broken(message, place: place)
    }

    /// Gives back what is not needed any more, also of a record that is too long.
    private func dropOrCompact() {
        var kept = window.scan
        switch mode {
        case .element, .lines, .name:
            kept = start
        case .start, .arrayGap, .objectGap, .colon, .memberValue, .trailing, .ended: break
        }
        kept = min(kept, objectStart ?? kept)
        if window.scan - kept > recordBytesMax {
            switch mode {
            case .element, .lines:
                if droppedPlace == nil {
                    droppedPlace = window.place(at: start)
                    if mode == .element { droppedPlace?.index = index }
                }
                start = window.scan
            default:
                // Too long for a record; it may still be an object with named arrays.
                objectStart = nil
                isObjectDropped = true
            }
            kept = window.scan
        }
        window.release(to: kept)
    }
}
