import MillraceEvent

/// Many events of about 180 bytes, made fast.
enum PlainEvents {
    private static let types = ["page.viewed", "page.edited", "cart.changed", "search.done"]
    private static let now = Timestamp.now.microseconds / 1000

    /// Lines, each ended by `\n`; line `index` is the same whenever it is asked for.
    static func lines(_ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count * 190)
        for index in range {
            bytes += #"{"id":"00000000-0000-4000-8000-"#.utf8
            append(index, width: 12, to: &bytes)
            bytes += #"","event_type":""#.utf8
            bytes += types[index % types.count].utf8
            bytes += #"","created_at":"#.utf8
            append(Int(now) - index % 100_000, width: 13, to: &bytes)
            bytes += #","payload":{"path":"/articles/"#.utf8
            append(index % 1000, width: 4, to: &bytes)
            bytes += #"","referrer":"https://example.org/","duration_ms":"#.utf8
            append(1000 + index % 977, width: 4, to: &bytes)
            bytes += "}}\n".utf8
        }
        return bytes
    }

    /// Decimal digits with zeros before them.
    private static func append(_ number: Int, width: Int, to bytes: inout [UInt8]) {
        let start = bytes.count
        var rest = number
        for _ in 0..<width { bytes.append(0) }
        for index in stride(from: start + width - 1, through: start, by: -1) {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }
}
