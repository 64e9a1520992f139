/// String literals of JSON: the only code outside the event path that writes and reads their escapes.
package enum JSONString {
    /// Hands out the literal of `text` piece by piece, quotes included. Only what RFC 8259 wants escaped is: quotes,
    /// backslashes and U+0000 ... U+001F. All else goes through as it is, so `text` is UTF-8 or the literal is none.
    package static func pieces(of text: UnsafeRawBufferPointer, _ emit: (UnsafeRawBufferPointer) -> Void) {
        withUnsafeBytes(of: UInt8(ascii: "\"")) { quote in
            emit(quote)
            var start = 0
            var index = 0
            while index < text.count {
                let byte = text[index]
                if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                    if start < index { emit(UnsafeRawBufferPointer(rebasing: text[start..<index])) }
                    withEscape(of: byte, emit)
                    start = index + 1
                }
                index += 1
            }
            if start < text.count { emit(UnsafeRawBufferPointer(rebasing: text[start...])) }
            emit(quote)
        }
    }

    private static func withEscape(of byte: UInt8, _ emit: (UnsafeRawBufferPointer) -> Void) {
        let letter: UInt8? =
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): byte
            case 0x0A: UInt8(ascii: "n")
            case 0x0D: UInt8(ascii: "r")
            case 0x09: UInt8(ascii: "t")
            default: nil
            }
        if let letter {
            withUnsafeBytes(of: (UInt8(ascii: "\\"), letter), emit)
        } else {
            let (u, zero) = (UInt8(ascii: "u"), UInt8(ascii: "0"))
            withUnsafeBytes(of: (UInt8(ascii: "\\"), u, zero, zero, zero + byte >> 4, hexDigit(byte & 15)), emit)
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// Appends the literal of UTF-8.
    package static func append(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        pieces(of: text) { out.append(contentsOf: $0) }
    }

    /// Appends the literal of `text`.
    package static func append(_ text: String, to out: inout [UInt8]) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0), to: &out) }
    }

    /// The literal of `text`, in UTF-8.
    package static func literal(_ text: String) -> [UInt8] {
        var out: [UInt8] = []
        append(text, to: &out)
        return out
    }

    /// The text of a literal, quotes included. A lone surrogate becomes U+FFFD.
    package static func text(of literal: ArraySlice<UInt8>) -> String {
        guard literal.count >= 2 else { return "" }
        let inner = literal[(literal.startIndex + 1)..<(literal.endIndex - 1)]
        guard inner.contains(UInt8(ascii: "\\")) else { return String(decoding: inner, as: UTF8.self) }
        var result = ""
        /// Of escapes that follow each other: pairs of surrogates are put together.
        var units: [UInt16] = []
        var rest = inner
        while !rest.isEmpty {
            let plain = rest.prefix { $0 != UInt8(ascii: "\\") }
            if !plain.isEmpty || rest.count == 1 {
                result += String(decoding: units, as: UTF16.self)
                units = []
                result += String(decoding: rest.count == 1 ? rest : plain, as: UTF8.self)
                rest = rest.dropFirst(max(1, plain.count))
            } else {
                let (unit, length) = escape(rest)
                units.append(unit)
                rest = rest.dropFirst(length)
            }
        }
        return result + String(decoding: units, as: UTF16.self)
    }

    /// The UTF-16 unit that the escape at the start stands for, and its length in bytes.
    private static func escape(_ text: ArraySlice<UInt8>) -> (UInt16, Int) {
        let letter = text[text.startIndex + 1]
        switch letter {
        case UInt8(ascii: "n"): return (0x0A, 2)
        case UInt8(ascii: "t"): return (0x09, 2)
        case UInt8(ascii: "r"): return (0x0D, 2)
        case UInt8(ascii: "b"): return (0x08, 2)
        case UInt8(ascii: "f"): return (0x0C, 2)
        case UInt8(ascii: "u"):
            let digits = text.dropFirst(2).prefix(4)
            return (UInt16(String(decoding: digits, as: UTF8.self), radix: 16) ?? 0xFFFD, 2 + digits.count)
        default: return (UInt16(letter), 2)
        }
    }
}
