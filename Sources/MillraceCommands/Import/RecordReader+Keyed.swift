internal import MillraceJSON

/// Records that are members of an object, by their ids.
extension RecordReader {
    /// Whether the member's value, whose first byte is at `scan`, or the object that it is the first member of, holds
    /// records, which come next then; nil when that takes more bytes.
    func startsRecords(_ first: UInt8, _ name: String) -> Bool? {
        guard first == UInt8(ascii: "{") else { return false }
        if isCollection(name) {
            guard let holdsRecords = holdsRecords() else { return nil }
            if holdsRecords {
                objectStart = nil
                isInDocument = true
                scan += 1
                collection = name
                index = 0
                mode = .keyGap(afterMember: false)
                return true
            }
        }
        guard isFirstMember, isRecordName(memberName) else { return false }
        objectStart = nil
        recordKey = memberName
        index = 0
        startKeyedRecord()
        return true
    }

    /// Whether the object at `scan` has objects for members, by the first of them; nil when that takes more bytes.
    private func holdsRecords() -> Bool? {
        let bytes = window[scan..<window.end]
        var index = JSONScanner.afterSpace(bytes, bytes.startIndex + 1)
        guard index < bytes.endIndex else { return isFileEnded ? false : nil }
        if bytes[index] == UInt8(ascii: "}") { return true }
        guard bytes[index] == UInt8(ascii: "\""), bytes.count < Self.lookAheadMax else { return false }
        index += 1
        while index < bytes.endIndex, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        index = JSONScanner.afterSpace(bytes, min(index + 1, bytes.endIndex))
        guard index < bytes.endIndex else { return isFileEnded ? false : nil }
        guard bytes[index] == UInt8(ascii: ":") else { return false }
        index = JSONScanner.afterSpace(bytes, index + 1)
        guard index < bytes.endIndex else { return isFileEnded ? false : nil }
        return bytes[index] == UInt8(ascii: "{")
    }

    func keyGap(_ afterMember: Bool) -> Next? {
        guard let byte = window.nextByte() else { return nil }
        if byte == UInt8(ascii: "}") {
            scan += 1
            collection = nil
            mode = isInDocument ? .objectGap(afterMember: true) : .trailing
            return nil
        }
        return startName(
            byte, afterMember: afterMember, as: .key, comma: "a comma is missing between two records",
            name: "the id of a record is wanted here")
    }

    func key() -> Next? {
        guard let key = scanName() else { return nil }
        recordKey = key
        mode = .keyColon
        return nil
    }

    func keyColon() -> Next? {
        let gap = scan
        guard let byte = window.nextByte() else { return nil }
        guard byte == UInt8(ascii: ":") else { return broken("a colon is missing after the id", at: scan) }
        scan += 1
        guard let first = window.nextByte() else {
            scan = gap
            return nil
        }
        guard !Self.endsValue(first) else { return broken("a record is missing after its id", at: scan) }
        startKeyedRecord()
        return nil
    }

    func startKeyedRecord() {
        start = scan
        value = JSONScanner()
        mode = .keyedRecord
    }

    func keyedRecord() -> Next? {
        guard let end = scanValue() else { return nil }
        defer {
            index += 1
            mode = .keyGap(afterMember: true)
        }
        return record(start..<end, index: index, key: recordKey)
    }
}
