internal import MillraceConsole
internal import MillraceJSON

/// Cuts a file into records while it streams: an array of records, an object with named arrays (or objects, whose members
/// are the records by their ids), such an object alone, one record, or a record a line. Remembers where it stands, so that memory is bounded by the longest record taken.
///
/// 1. What a record is, is told by brackets and quotes alone; whether it is one is for others to say. So a record
///    that is no valid JSON does not spoil those after it, as long as its brackets and quotes are in pairs.
/// 2. An object is one with named arrays as soon as a member that is the name of an array of records has an array for
///    its value. Until then it is held whole, as it may be a record itself; lines may follow it.
final class RecordReader {
    enum Next: Equatable {
        /// `collection`: the name of the array it stands in, in snake_case; nil when that had none. `key`: its own name, where
        /// records are members.
        case record(ArraySlice<UInt8>, collection: String?, key: String? = nil, place: RecordPlace)
        /// Longer than `recordBytesMax`; dropped while it was read.
        case tooLong(collection: String?, place: RecordPlace)
        /// A member, beside named arrays, that holds something else than plain values and is no array of records.
        case unknownMember(name: String, place: RecordPlace)
        /// What follows can't be told apart any more.
        case broken(String, place: RecordPlace)
        case needsInput
        case ended
    }

    enum Mode: Equatable {
        case start
        /// In the array, before an element or its end.
        case arrayGap(afterElement: Bool)
        case element
        /// In the object, before a name or its end.
        case objectGap(afterMember: Bool)
        case name
        case colon
        case memberValue
        /// In an object of records, before a record's name or the end.
        case keyGap(afterMember: Bool)
        case key
        case keyColon
        case keyedRecord
        case lines
        /// After the array, or the object with named arrays.
        case trailing
        case ended
    }

    /// Longest name of a member that can be the name of an array of records, with its quotes.
    static let nameBytesMax = 256
    /// Of an object, what is looked at to tell whether it holds records.
    static let lookAheadMax = 64 << 10

    let isCollection: (String) -> Bool
    let isRecordName: (String) -> Bool
    private let holdsLines: Bool
    private let recordBytesMax: Int
    private var input: CompressedInput
    var window = RecordWindow()
    /// Where what is being cut out begins: a record, a line, a name, a member's value.
    var start = 0
    /// Where an object begins that may be a record itself; nil when it can't be one any more.
    var objectStart: Int?
    private var objectPlace = RecordPlace(line: 1, column: 1, offsetBytes: 0, index: nil)
    private var isObjectDropped = false
    var value = JSONScanner()
    var mode = Mode.start
    var collection: String?
    var index = 0
    var isInDocument = false
    var isFirstMember = true
    var recordKey = ""
    var memberName = ""
    /// Told at the end of the object, when it is known to be one with named arrays.
    private var unknownMembers: [(name: String, place: RecordPlace)] = []
    /// Where the record begins that is being dropped.
    private var droppedPlace: RecordPlace?
    var isFileEnded = false

    /// `holdsLines`: a record a line, whatever the first byte is. `isCollection`: whether a name, in snake_case, is that
    /// of an array of records. `isRecordName`: whether the first member of an object, an object itself, is a record by its
    /// id. `recordBytesMax`: longest record taken, what is nested in it included.
    init(
        descriptor: Int32, holdsLines: Bool, recordBytesMax: Int = LineReader.lineBytesMax,
        isCollection: @escaping (String) -> Bool, isRecordName: @escaping (String) -> Bool = { _ in false }
    ) {
        input = CompressedInput(descriptor: descriptor)
        self.holdsLines = holdsLines
        self.recordBytesMax = recordBytesMax
        self.isCollection = isCollection
        self.isRecordName = isRecordName
    }

    /// The caller's; not closed here.
    var descriptor: Int32 { input.descriptor }

    /// The file's size in bytes, before decompression; nil when it is no regular file.
    var totalBytes: Int? { input.totalBytes }

    /// Bytes read of the file, before decompression.
    var readBytes: Int { input.readBytes }

    /// Reads once from the descriptor. Blocks when nothing is there.
    func read() throws(CommandError) { try input.read() }

    func next() -> Next {
        while true {
            if mode == .ended { return .ended }
            if let next = step() { return next }
            if isFileEnded { return atEnd() }
            dropOrCompact()
            do throws(CommandError) {
                if try input.decode(into: &window.buffer) { continue }
            } catch {
                return broken(error.message, at: scan)
            }
            guard input.isEnded else { return .needsInput }
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
                case .keyGap(let afterMember): keyGap(afterMember)
                case .key: key()
                case .keyColon: keyColon()
                case .keyedRecord: keyedRecord()
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
        if holdsLines {
            startLines()
            return nil
        }
        guard let byte = window.nextByte() else { return nil }
        switch byte {
        case UInt8(ascii: "["):
            scan += 1
            startArray(nil)
        case UInt8(ascii: "{"):
            objectStart = scan
            objectPlace = window.place(at: scan)
            scan += 1
            mode = .objectGap(afterMember: false)
        default: return broken("it begins with neither [ nor {", at: scan)
        }
        return nil
    }

    private func startLines() {
        start = scan
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
            scan += 1
            collection = nil
            mode = isInDocument ? .objectGap(afterMember: true) : .trailing
            return nil
        }
        if afterElement {
            guard byte == UInt8(ascii: ",") else { return broken("a comma is missing between two records", at: scan) }
            let gap = scan
            scan += 1
            guard let following = window.nextByte() else {
                scan = gap
                return nil
            }
            guard !Self.endsValue(following) else { return broken("a record is missing after the comma", at: scan) }
        } else if Self.endsValue(byte) {
            return broken("a record is wanted here", at: scan)
        }
        start = scan
        value = JSONScanner()
        mode = .element
        return nil
    }

    private func element() -> Next? {
        guard let end = scanValue() else { return nil }
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
        guard let byte = window.nextByte() else { return nil }
        if byte == UInt8(ascii: "}") {
            scan += 1
            if isInDocument {
                mode = .trailing
                return nil
            }
            let whole = (objectStart ?? scan)..<scan
            objectStart = nil
            unknownMembers = []
            startLines()
            if isObjectDropped || whole.count > recordBytesMax { return .tooLong(collection: nil, place: objectPlace) }
            return .record(window[whole], collection: nil, place: objectPlace)
        }
        return startName(
            byte, afterMember: afterMember, as: .name, comma: "a comma is missing between two members",
            name: "the name of a member is wanted here")
    }

    private func name() -> Next? {
        guard let name = scanName() else { return nil }
        memberName = name
        mode = .colon
        return nil
    }

    private func colon() -> Next? {
        let gap = scan
        guard let byte = window.nextByte() else { return nil }
        guard byte == UInt8(ascii: ":") else { return broken("a colon is missing after the name", at: scan) }
        scan += 1
        guard let first = window.nextByte() else {
            scan = gap
            return nil
        }
        guard !Self.endsValue(first) else { return broken("a value is missing after the name", at: scan) }
        let name = SnakeCase.from(memberName)
        if first == UInt8(ascii: "["), isCollection(name) {
            objectStart = nil
            isInDocument = true
            scan += 1
            startArray(name)
            return nil
        }
        guard let isStarted = startsRecords(first, name) else {
            scan = gap
            return nil
        }
        if isStarted { return nil }
        isFirstMember = false
        if first == UInt8(ascii: "[") || first == UInt8(ascii: "{"), unknownMembers.count < 16 {
            unknownMembers.append((memberName, window.place(at: scan)))
        }
        start = scan
        value = JSONScanner()
        mode = .memberValue
        return nil
    }

    private func skipMember() -> Next? {
        guard let end = scanValue() else { return nil }
        if end == start { return broken("a value is missing after the name", at: end) }
        mode = .objectGap(afterMember: true)
        return nil
    }

    private func cutLine() -> Next? {
        while true {
            guard let ending = window.find(UInt8(ascii: "\n")) else {
                scan = window.end
                guard isFileEnded, start < scan || droppedPlace != nil else { return nil }
                let last = start..<scan
                start = scan
                return droppedPlace == nil && window.isBlank(last) ? nil : record(last, index: nil)
            }
            let whole = start..<ending
            scan = ending + 1
            start = scan
            if droppedPlace == nil, window.isBlank(whole) { continue }
            return record(whole, index: nil)
        }
    }

    private func trailing() -> Next? {
        guard window.nextByte() != nil else { return nil }
        return broken("something follows where the file should end", at: scan)
    }

    private func atEnd() -> Next {
        switch mode {
        case .start, .lines, .trailing, .ended:
            mode = .ended
            return .ended
        case .element, .keyedRecord: return broken("the file ends in the middle of a record", at: start)
        case .arrayGap: return broken("the file ends before the array does", at: scan)
        case .objectGap, .name, .colon, .memberValue, .keyGap, .key, .keyColon:
            return broken("the file ends before the object does", at: objectStart ?? scan)
        }
    }

    // MARK: - Bytes

    /// Up to where the file was looked at.
    var scan: Int {
        get { window.scan }
        set { window.scan = newValue }
    }

    /// Scans on in the value; its end.
    func scanValue() -> Int? {
        let end = window.withUnscanned { value.scan($0) }
        scan = end.map { scan + $0 } ?? window.end
        return end.map { _ in scan }
    }

    static func endsValue(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
            || byte == UInt8(ascii: ":")
    }

    func record(_ range: Range<Int>, index: Int?, key: String? = nil) -> Next {
        if let place = droppedPlace {
            droppedPlace = nil
            return .tooLong(collection: collection, place: place)
        }
        var place = window.place(at: range.lowerBound)
        place.index = index
        if range.count > recordBytesMax { return .tooLong(collection: collection, place: place) }
        return .record(window[range], collection: collection, key: key, place: place)
    }

    func broken(_ message: String, at position: Int) -> Next {
        var place = window.place(at: max(position, window.linesCounted))
        switch mode {
        case .element, .arrayGap, .keyedRecord, .keyGap, .key, .keyColon: place.index = index
        case .start, .objectGap, .name, .colon, .memberValue, .lines, .trailing, .ended: break
        }
        mode = .ended
        return .broken(message, place: place)
    }

    /// Gives back what is not needed any more, also of a record that is too long.
    private func dropOrCompact() {
        var kept = scan
        switch mode {
        case .element, .lines, .name, .key, .keyedRecord:
            kept = start
        case .start, .arrayGap, .objectGap, .colon, .memberValue, .keyGap, .keyColon, .trailing, .ended: break
        }
        let cut = kept
        kept = min(kept, objectStart ?? kept)
        if scan - kept > recordBytesMax {
            switch mode {
            case .element, .lines, .keyedRecord:
                if droppedPlace == nil {
                    droppedPlace = window.place(at: start)
                    if mode != .lines { droppedPlace?.index = index }
                }
                start = scan
                kept = scan
            default:
                // Too long for a record; it may still be an object with named arrays.
                objectStart = nil
                isObjectDropped = true
                kept = cut
            }
        }
        window.drop(upTo: kept)
    }
}
