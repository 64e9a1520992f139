/// Where the parts of a JSON text are, so that some of them can be written over. For valid JSON; of any other text it
/// finds less, and goes on to its end.
struct JSONPlaces {
    let bytes: [UInt8]

    /// Of an object's members: names without quotes, as they are written, and values.
    func members(of object: Range<Int>) -> [(name: Range<Int>, value: Range<Int>)] {
        var members: [(name: Range<Int>, value: Range<Int>)] = []
        guard let first = first(in: object), bytes[first] == UInt8(ascii: "{") else { return members }
        var at = first + 1
        while let start = self.first(in: at..<object.upperBound), bytes[start] == UInt8(ascii: "\"") {
            let nameEnd = endOfString(at: start, before: object.upperBound)
            guard nameEnd >= start + 2,
                let colon = self.first(in: nameEnd..<object.upperBound), bytes[colon] == UInt8(ascii: ":"),
                let value = value(in: colon + 1..<object.upperBound)
            else { break }
            members.append((start + 1..<nameEnd - 1, value))
            guard let comma = self.first(in: value.upperBound..<object.upperBound), bytes[comma] == UInt8(ascii: ",")
            else { break }
            at = comma + 1
        }
        return members
    }

    /// Of an array's elements.
    func elements(of array: Range<Int>) -> [Range<Int>] {
        var elements: [Range<Int>] = []
        guard let first = first(in: array), bytes[first] == UInt8(ascii: "[") else { return elements }
        var at = first + 1
        while let value = value(in: at..<array.upperBound), bytes[value.lowerBound] != UInt8(ascii: "]") {
            elements.append(value)
            guard let comma = self.first(in: value.upperBound..<array.upperBound), bytes[comma] == UInt8(ascii: ",")
            else { break }
            at = comma + 1
        }
        return elements
    }

    /// The value that begins in `range`, blanks before it left out; nil when there is none.
    func value(in range: Range<Int>) -> Range<Int>? {
        guard let start = first(in: range) else { return nil }
        switch bytes[start] {
        case UInt8(ascii: "\""): return start..<endOfString(at: start, before: range.upperBound)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            var depth = 0
            var at = start
            while at < range.upperBound {
                switch bytes[at] {
                case UInt8(ascii: "\""):
                    at = endOfString(at: at, before: range.upperBound)
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
                at += 1
                if depth == 0 { return start..<at }
            }
            return start..<range.upperBound
        default:
            var at = start
            while at < range.upperBound, !Self.endsScalar(bytes[at]) { at += 1 }
            return at > start ? start..<at : start..<start + 1
        }
    }

    /// Every string in `range`, names included, with its quotes.
    func strings(in range: Range<Int>) -> [Range<Int>] {
        var strings: [Range<Int>] = []
        var at = range.lowerBound
        while let start = bytes[at..<range.upperBound].firstIndex(of: UInt8(ascii: "\"")) {
            let end = endOfString(at: start, before: range.upperBound)
            strings.append(start..<end)
            at = end
        }
        return strings
    }

    /// The text of a string or a number; nil of another value.
    func text(of value: Range<Int>) -> String? {
        guard let first = bytes[value].first else { return nil }
        if first == UInt8(ascii: "\"") { return unescaped(value).map { String(decoding: $0, as: UTF8.self) } }
        let isNumber = first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        return isNumber ? String(decoding: bytes[value], as: UTF8.self) : nil
    }

    /// The text of a string with its quotes.
    func unescaped(_ string: Range<Int>) -> [UInt8]? {
        guard string.count >= 2 else { return nil }
        let content = bytes[string.lowerBound + 1..<string.upperBound - 1]
        guard content.contains(UInt8(ascii: "\\")) else { return Array(content) }
        var text: [UInt8] = []
        var at = content.startIndex
        while at < content.endIndex {
            guard content[at] == UInt8(ascii: "\\"), at + 1 < content.endIndex else {
                text.append(content[at])
                at += 1
                continue
            }
            at += 2
            switch content[at - 1] {
            case UInt8(ascii: "b"): text.append(0x08)
            case UInt8(ascii: "f"): text.append(0x0C)
            case UInt8(ascii: "n"): text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case UInt8(ascii: "t"): text.append(0x09)
            case UInt8(ascii: "u"):
                var units: [UInt16] = []
                while let unit = Self.unit(content, at: at) {
                    units.append(unit)
                    at += 4
                    guard units.count == 1, unit & 0xFC00 == 0xD800,
                        content.distance(from: at, to: content.endIndex) >= 6,
                        content[at] == UInt8(ascii: "\\"), content[at + 1] == UInt8(ascii: "u")
                    else { break }
                    at += 2
                }
                text += Array(String(decoding: units, as: UTF16.self).utf8)
            case let other: text.append(other)
            }
        }
        return text
    }

    private static func unit(_ content: ArraySlice<UInt8>, at: Int) -> UInt16? {
        guard at + 4 <= content.endIndex else { return nil }
        return UInt16(String(decoding: content[at..<at + 4], as: UTF8.self), radix: 16)
    }

    /// After the string that begins at `start`.
    private func endOfString(at start: Int, before end: Int) -> Int {
        var at = start + 1
        while at < end {
            if bytes[at] == UInt8(ascii: "\"") { return at + 1 }
            at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
        }
        return end
    }

    private func first(in range: Range<Int>) -> Int? {
        bytes[range].firstIndex { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }
    }

    private static func endsScalar(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"), 0x20, 0x09, 0x0A, 0x0D: true
        default: false
        }
    }
}
