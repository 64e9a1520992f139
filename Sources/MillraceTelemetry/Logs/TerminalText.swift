internal import MillraceJSON

/// Text with parts from clients, made fit for a terminal: what would move the cursor, change the order of what is
/// read, or begin a line of its own is written out as `\\u009b`. Within a string of JSON that means the same character.
package enum TerminalText {
    /// C0, DEL and C1, the marks and overrides of writing direction, and the separators of lines and paragraphs.
    package static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// As one line.
    package static func line(_ text: String) -> String { escaped(text) { _ in false } }

    /// Keeps `\n` and tabs: for text whose lines are the program's own.
    package static func lines(_ text: String) -> String { escaped(text) { $0 == "\n" || $0 == "\t" } }

    /// As a string of JSON.
    package static func quoted(_ text: String) -> String {
        line(String(decoding: JSONString.literal(text), as: UTF8.self))
    }

    private static func escaped(_ text: String, except isKept: (Unicode.Scalar) -> Bool) -> String {
        guard text.unicodeScalars.contains(where: { isUnsafe($0) && !isKept($0) }) else { return text }
        var escaped = ""
        for scalar in text.unicodeScalars {
            if isUnsafe(scalar), !isKept(scalar) {
                escaped += code(of: scalar)
            } else {
                escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// `\u009b`; all that are unsafe have four digits at most.
    private static func code(of scalar: Unicode.Scalar) -> String {
        let hex = String(scalar.value, radix: 16)
        return "\\u" + String(repeating: "0", count: max(0, 4 - hex.count)) + hex
    }
}
