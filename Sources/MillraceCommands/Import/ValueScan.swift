/// Finds the end of a JSON value in bytes that come in pieces, by brackets and quotes alone.
struct ValueScan {
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// A number, `true`, `false`, `null`: it ends in front of what follows.
    private var isPlain = false
    private var isStarted = false

    /// Scans on; the offset behind the value's last byte, or nil when it goes on behind `bytes`.
    mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
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
