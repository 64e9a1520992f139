/// The members of a JSON object that a parser has accepted already, found without reading their values.
struct JSONMembers {
    struct Member: Equatable {
        /// Without the quotes, as it stands (escapes are not undone).
        var name: Range<Int>
        /// From the name's quote to the value's last byte.
        var whole: Range<Int>
    }

    /// In order.
    let members: [Member]

    /// `line` is one valid object, white space around it allowed.
    init(of line: [UInt8]) {
        var found: [Member] = []
        var depth = 0
        var isInText = false
        var isEscaped = false
        var textStart = 0
        /// Of the present member: its first byte, its name, its last byte that is no white space.
        var start: Int?
        var name: Range<Int>?
        var last = 0
        for (index, byte) in line.enumerated() {
            if isInText {
                last = index
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInText = false
                    if depth == 1, name == nil { name = textStart..<index }
                }
                continue
            }
            let isClosing = byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]")
            if isClosing { depth -= 1 }
            if (depth == 1 && byte == UInt8(ascii: ",")) || (depth == 0 && isClosing) {
                if let start, let name { found.append(Member(name: name, whole: start..<last + 1)) }
                start = nil
                name = nil
                continue
            }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "\""):
                isInText = true
                textStart = index + 1
                if depth == 1, start == nil { start = index }
            default: break
            }
            last = index
        }
        members = found
    }
}
