internal import MillraceConsole
internal import MillraceTelemetry

/// Text in columns of a terminal, where a letter takes one, two or none.
enum TopText {
    /// `12,345` or `3.4`; `-` where it is not known.
    static func rate(_ value: Double?) -> String {
        guard let value else { return "-" }
        return value < 100 ? Format.decimal(value) : Format.count(Int(value.rounded()))
    }

    /// Fit for a terminal and no longer than `columns`.
    static func cut(_ text: String, to columns: Int) -> String {
        let text = TerminalText.line(text)
        var (kept, used) = ("", 0)
        for character in text {
            let width = width(of: character)
            guard used + width <= columns else { return kept }
            used += width
            kept.append(character)
        }
        return kept
    }

    /// Exactly `columns` wide, blanks behind it; the last column stays blank.
    static func left(_ text: String, _ columns: Int) -> String {
        let kept = cut(text, to: max(0, columns - 1))
        return kept + String(repeating: " ", count: max(0, columns - width(of: kept)))
    }

    /// At least `columns` wide, blanks before it.
    static func right(_ text: String, _ columns: Int) -> String {
        String(repeating: " ", count: max(0, columns - width(of: text))) + text
    }

    static func width(of text: String) -> Int { text.reduce(0) { $0 + width(of: $1) } }

    /// 2 for what East Asian fonts and emoji draw wide, 0 for marks that stand on the letter before.
    private static func width(of character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: return 0
        default: break
        }
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1FAFF, 0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }
}
