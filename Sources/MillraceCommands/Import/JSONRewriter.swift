internal import MillraceJSON

/// Copies valid JSON without its white space, and without its secrets where that is asked for.
enum JSONRewriter {
    /// Returns how many secrets were left out. `plainNumberBytesMax`: a longer number is written with an exponent where
    /// that is shorter; it stays the same `numeric`.
    @discardableResult
    static func append(
        _ text: JSONScanner.Text, to out: inout [UInt8], droppingSecrets: Bool, plainNumberBytesMax: Int = .max
    ) -> Int {
        var dropped = 0
        /// Whether each open container is an object.
        var open: [Bool] = []
        var isAtName = false
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\""):
                let end = JSONScanner.afterValue(text, index)
                if isAtName, droppingSecrets,
                    SecretName.matches(SnakeCase.from(JSONString.text(of: text[index..<end])))
                {
                    dropped += 1
                    index = afterMember(text, nameEnd: end)
                    continue
                }
                out += text[index..<end]
                isAtName = false
                index = end
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open.append(byte == UInt8(ascii: "{"))
                isAtName = byte == UInt8(ascii: "{")
                out.append(byte)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                // The last member was a secret: the comma before it is too many.
                if out.last == UInt8(ascii: ",") { out.removeLast() }
                _ = open.popLast()
                isAtName = false
                out.append(byte)
            case UInt8(ascii: ","):
                isAtName = open.last ?? false
                out.append(byte)
            case 0x20, 0x0A, 0x0D, 0x09: break
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                let end = JSONScanner.afterValue(text, index)
                let number = text[index..<end]
                if number.count > plainNumberBytesMax { out += shortened(number) } else { out += number }
                index = end
                continue
            default: out.append(byte)
            }
            index += 1
        }
        return dropped
    }

    /// A number without an exponent, with one where that is shorter: `12000000` is `12e6`, `0.0000012` is `12e-7`. The
    /// digits after the point, which `numeric` remembers, stay as many.
    private static func shortened(_ number: JSONScanner.Text) -> [UInt8] {
        let zero = UInt8(ascii: "0")
        guard !number.contains(where: { $0 | 0x20 == UInt8(ascii: "e") }) else { return Array(number) }
        let sign = number.prefix { $0 == UInt8(ascii: "-") }
        let unsigned = number.dropFirst(sign.count)
        let whole = unsigned.prefix { $0 != UInt8(ascii: ".") }
        let fraction = unsigned.dropFirst(whole.count + 1)
        let digits: [UInt8]
        let exponent: Int
        if fraction.isEmpty {
            digits = Array(whole.reversed().drop { $0 == zero }.reversed())
            exponent = whole.count - digits.count
        } else if whole.elementsEqual([zero]) {
            digits = Array(fraction.drop { $0 == zero })
            exponent = -fraction.count
        } else {
            return Array(number)
        }
        let short = Array(sign) + (digits.isEmpty ? [zero] : digits) + Array("e\(exponent)".utf8)
        return short.count < number.count ? short : Array(number)
    }

    /// The place after the member's value, and after the comma that follows it.
    private static func afterMember(_ text: JSONScanner.Text, nameEnd: Int) -> Int {
        let value = JSONScanner.afterSpace(text, JSONScanner.afterSpace(text, nameEnd) + 1)
        guard value < text.endIndex else { return text.endIndex }
        let end = JSONScanner.afterSpace(text, JSONScanner.afterValue(text, value))
        return end < text.endIndex && text[end] == UInt8(ascii: ",") ? end + 1 : end
    }
}
