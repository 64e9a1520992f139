internal import MillraceJSON

/// Names of members, of an object and of an object of records.
extension RecordReader {
    /// Starts a member's name at `first`, or after it where a comma is due; nothing happens when that takes more bytes.
    /// `comma`, `name`: what is said when they are missing.
    func startName(_ first: UInt8, afterMember: Bool, as next: Mode, comma: String, name: String) -> Next? {
        var byte = first
        let gap = scan
        if afterMember {
            guard byte == UInt8(ascii: ",") else { return broken(comma, at: scan) }
            scan += 1
            guard let following = window.nextByte() else {
                scan = gap
                return nil
            }
            byte = following
        }
        guard byte == UInt8(ascii: "\"") else { return broken(name, at: scan) }
        start = scan
        value = JSONScanner()
        mode = next
        return nil
    }

    /// Empty for one that is too long to be known; nil when it takes more bytes.
    func scanName() -> String? {
        guard let end = scanValue() else { return nil }
        let text = window[start..<end]
        return text.count <= Self.nameBytesMax ? JSONString.text(of: text) : ""
    }
}
