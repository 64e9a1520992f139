internal import MillraceEvent

/// Times as clients and PostgreSQL write them.
enum TimeText {
    /// What PostgreSQL writes for a timestamptz in ISO style and UTC, in RFC 3339: `2026-11-21T10:00:00.5Z`. What has no
    /// such form (`infinity`) stays as it is.
    static func rfc3339(_ text: String) -> String {
        guard text.hasSuffix("+00"), let blank = text.firstIndex(of: " ") else { return text }
        return text[..<blank] + "T" + text[text.index(after: blank)...].dropLast(3) + "Z"
    }

    /// RFC 3339 with an offset, a date (its midnight in UTC), or milliseconds since 1970; nil for anything else. Years
    /// 1 … 9999.
    static func parse(_ text: String) -> Timestamp? {
        let time: Timestamp? =
            if let milliseconds = Int64(text), !text.hasPrefix("+") {
                milliseconds.magnitude < 1_000_000_000_000_000 ? Timestamp(microseconds: milliseconds * 1000) : nil
            } else {
                Timestamp(rfc3339: text.utf8.count == "2026-11-21".utf8.count ? text + "T00:00:00Z" : text)
            }
        return time.flatMap { range.contains($0) ? $0 : nil }
    }

    /// 0001-01-01T00:00:00Z to the end of 9999.
    static let range =
        Timestamp(microseconds: -62_135_596_800_000_000)..<Timestamp(microseconds: 253_402_300_800_000_000)
}
