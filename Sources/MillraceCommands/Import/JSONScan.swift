/// Steps over the text of valid JSON without making values of it. What is no valid JSON gives some wrong place, never
/// one outside of the text.
enum JSONScan {
    typealias Text = ArraySlice<UInt8>

    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    /// The first byte at or behind `index` that is no white space, or the end.
    static func afterSpace(_ text: Text, _ index: Int) -> Int {
        var index = index
        while index < text.endIndex, isSpace(text[index]) { index += 1 }
        return index
    }

    /// Behind the string whose quote stands at `index`.
    static func afterString(_ text: Text, _ index: Int) -> Int {
        var index = index + 1
        while index < text.endIndex {
            switch text[index] {
            case UInt8(ascii: "\\"): index += 2
            case UInt8(ascii: "\""): return index + 1
            default: index += 1
            }
        }
        return text.endIndex
    }

    /// Behind the value that starts at `index`.
    static func afterValue(_ text: Text, _ index: Int) -> Int {
        var index = index
        var depth = 0
        while index < text.endIndex {
            switch text[index] {
            case UInt8(ascii: "\""):
                index = afterString(text, index)
                if depth == 0 { return index }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                index += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0 else { return index }
                depth -= 1
                index += 1
                if depth == 0 { return index }
            case UInt8(ascii: ","), UInt8(ascii: ":"), 0x20, 0x0A, 0x0D, 0x09:
                guard depth > 0 else { return index }
                index += 1
            default: index += 1
            }
        }
        return index
    }

    /// The members of the object `text`, in their order: names unescaped, values as they stand.
    static func members(_ text: Text) -> [(name: String, value: Text)] {
        var found: [(String, Text)] = []
        var index = afterSpace(text, text.startIndex) + 1
        while true {
            index = afterSpace(text, index)
            guard index < text.endIndex, text[index] == UInt8(ascii: "\"") else { return found }
            let nameEnd = afterString(text, index)
            let name = string(text[index..<nameEnd])
            let start = afterSpace(text, afterSpace(text, nameEnd) + 1)
            guard start < text.endIndex else { return found }
            let end = afterValue(text, start)
            found.append((name, text[start..<end]))
            // Over the comma, or the closing brace, behind which nothing comes.
            index = afterSpace(text, end) + 1
        }
    }

    /// The elements of the array `text`.
    static func elements(_ text: Text) -> [Text] {
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

    /// The text of the string literal `text`, quotes included. A lone surrogate becomes U+FFFD.
    static func string(_ text: Text) -> String {
        guard text.count >= 2 else { return "" }
        let inner = text[(text.startIndex + 1)..<(text.endIndex - 1)]
        guard inner.contains(UInt8(ascii: "\\")) else { return String(decoding: inner, as: UTF8.self) }
        var units: [UInt16] = []
        var result = ""
        var plain = inner.startIndex
        var index = inner.startIndex
        func flush(_ units: inout [UInt16]) {
            if !units.isEmpty { result += String(decoding: units, as: UTF16.self) }
            units = []
        }
        while index < inner.endIndex {
            guard inner[index] == UInt8(ascii: "\\"), index + 1 < inner.endIndex else {
                index += 1
                continue
            }
            if plain < index {
                flush(&units)
                result += String(decoding: inner[plain..<index], as: UTF8.self)
            }
            let (unit, length) = escape(inner, index)
            units.append(unit)
            index += length
            plain = min(index, inner.endIndex)
        }
        flush(&units)
        return result + String(decoding: inner[plain...], as: UTF8.self)
    }

    /// The UTF-16 unit that the escape at `index` stands for, and its length in bytes.
    private static func escape(_ text: Text, _ index: Int) -> (UInt16, Int) {
        switch text[index + 1] {
        case UInt8(ascii: "n"): return (0x0A, 2)
        case UInt8(ascii: "t"): return (0x09, 2)
        case UInt8(ascii: "r"): return (0x0D, 2)
        case UInt8(ascii: "b"): return (0x08, 2)
        case UInt8(ascii: "f"): return (0x0C, 2)
        case UInt8(ascii: "u"):
            let digits = text[(index + 2)...].prefix(4)
            return (UInt16(String(decoding: digits, as: UTF8.self), radix: 16) ?? 0xFFFD, 2 + digits.count)
        default: return (UInt16(text[index + 1]), 2)
        }
    }

    /// `text` as a string literal.
    static func literal(_ text: String) -> [UInt8] {
        var out: [UInt8] = []
        appendLiteral(text.utf8, to: &out)
        return out
    }

    /// Appends UTF-8 as a string literal.
    static func appendLiteral(_ text: some Sequence<UInt8>, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case 0x0A: out += Array("\\n".utf8)
            case 0x0D: out += Array("\\r".utf8)
            case 0x09: out += Array("\\t".utf8)
            case ..<0x20: out += Array("\\u00".utf8) + [hexDigit(byte >> 4), hexDigit(byte & 15)]
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    static func isNull(_ value: Text) -> Bool {
        value.elementsEqual("null".utf8)
    }

    /// An object of JSON texts, its members in the order of their names.
    static func object(_ members: [String: [UInt8]]) -> [UInt8] {
        var out = [UInt8(ascii: "{")]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            if out.count > 1 { out.append(UInt8(ascii: ",")) }
            appendLiteral(name.utf8, to: &out)
            out.append(UInt8(ascii: ":"))
            out += value
        }
        out.append(UInt8(ascii: "}"))
        return out
    }
}
