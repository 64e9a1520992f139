/// Copies valid JSON without its white space, and without its secrets where that is asked for.
enum JSONRewriter {
    /// Returns how many secrets were left out.
    @discardableResult
    static func append(_ text: JSONScan.Text, to out: inout [UInt8], droppingSecrets: Bool) -> Int {
        var dropped = 0
        /// Whether each open container is an object.
        var open: [Bool] = []
        var isAtName = false
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\""):
                let end = JSONScan.afterString(text, index)
                if isAtName, droppingSecrets,
                    SecretName.matches(SnakeCase.from(JSONScan.string(text[index..<end])))
                {
                    dropped += 1
                    index = behindMember(text, nameEnd: end)
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
            default: out.append(byte)
            }
            index += 1
        }
        return dropped
    }

    /// Behind the member's value, and behind the comma that follows it.
    private static func behindMember(_ text: JSONScan.Text, nameEnd: Int) -> Int {
        let value = JSONScan.afterSpace(text, JSONScan.afterSpace(text, nameEnd) + 1)
        guard value < text.endIndex else { return text.endIndex }
        let end = JSONScan.afterSpace(text, JSONScan.afterValue(text, value))
        return end < text.endIndex && text[end] == UInt8(ascii: ",") ? end + 1 : end
    }
}
