/// Finds where values of JSON end, by brackets and quotes alone, without making values of them. What is no valid JSON gives
/// some wrong place, never one outside of the text.
///
/// An instance scans one value in bytes that come in pieces; the static functions step over a text that is there.
package struct JSONScanner {
    package typealias Text = ArraySlice<UInt8>

    /// A member of an object.
    package struct Member {
        /// Unescaped.
        package var name: String
        package var value: Text
        /// From the name's quote to the value's last byte, as it stands.
        package var whole: Text
    }

    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// A number, `true`, `false`, `null`: it ends before what follows.
    private var isPlain = false
    private var isStarted = false

    package init() {}

    /// Scans on; the offset after the value's last byte, or nil when the value goes on after `bytes`.
    package mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if isInString {
                index += 1
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                    if depth == 0 { return index }
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                if isPlain { return index }
                isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if isPlain { return index }
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return index }
                depth -= 1
                if depth == 0 { return index + 1 }
            case UInt8(ascii: ","), UInt8(ascii: ":"), 0x20, 0x0A, 0x0D, 0x09:
                if depth == 0, isStarted { return index }
            default:
                if depth == 0 { isPlain = true }
            }
            isStarted = true
            index += 1
        }
        return nil
    }
}

extension JSONScanner {
    /// Whether `byte` is one of the four that JSON allows between values: space, newline, carriage return, tab.
    package static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    /// Whether `value`, without white space around it, is the literal `null`.
    package static func isNull(_ value: Text) -> Bool {
        value.elementsEqual("null".utf8)
    }

    /// The first byte at or after `index` that is no white space, or the end.
    package static func afterSpace(_ text: Text, _ index: Int) -> Int {
        var index = index
        while index < text.endIndex, isSpace(text[index]) { index += 1 }
        return min(index, text.endIndex)
    }

    /// After the value that starts at `index`; `index` where none does, the end where it does not end.
    package static func afterValue(_ text: Text, _ index: Int) -> Int {
        text[index...].withUnsafeBufferPointer { bytes in
            guard let first = bytes.first, !isSpace(first), first != UInt8(ascii: ","), first != UInt8(ascii: ":")
            else {
                return index
            }
            var scanner = JSONScanner()
            return index + (scanner.scan(bytes) ?? bytes.count)
        }
    }

    /// The members of the object `text`, in their order.
    package static func members(_ text: Text) -> [Member] {
        var found: [Member] = []
        var index = afterSpace(text, text.startIndex) + 1
        while true {
            index = afterSpace(text, index)
            guard index < text.endIndex, text[index] == UInt8(ascii: "\"") else { return found }
            let nameEnd = afterValue(text, index)
            let start = afterSpace(text, afterSpace(text, nameEnd) + 1)
            guard start < text.endIndex else { return found }
            let end = afterValue(text, start)
            let name = JSONString.text(of: text[index..<nameEnd])
            found.append(Member(name: name, value: text[start..<end], whole: text[index..<end]))
            // Over the comma, or the closing brace, after which nothing comes.
            index = afterSpace(text, end) + 1
        }
    }

    /// The elements of the array `text`.
    package static func elements(_ text: Text) -> [Text] {
        var found: [Text] = []
        var index = afterSpace(text, afterSpace(text, text.startIndex) + 1)
        while index < text.endIndex, text[index] != UInt8(ascii: "]") {
            let end = afterValue(text, index)
            guard end > index else { return found }
            found.append(text[index..<end])
            index = afterSpace(text, afterSpace(text, end) + 1)
        }
        return found
    }
}
