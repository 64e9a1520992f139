internal import Glibc
internal import MillraceEvent

/// The time of day as the 27 characters of `2026-11-21T13:20:00.123456Z`. The calendar is asked once a second.
struct EventClock {
    static let textBytes = 27

    /// The present text.
    private(set) var text = [UInt8](repeating: UInt8(ascii: "0"), count: textBytes)
    private var second = Int.min

    init(at time: Timestamp) {
        for (index, character) in [
            4: "-", 7: "-", 10: "T", 13: ":", 16: ":", 19: ".", 26: "Z",
        ] as [Int: Unicode.Scalar] { text[index] = UInt8(ascii: character) }
        set(time)
    }

    mutating func set(_ time: Timestamp) {
        var seconds = Int(time.microseconds / 1_000_000)
        if seconds != second {
            second = seconds
            var fields = tm()
            gmtime_r(&seconds, &fields)
            put(Int(fields.tm_year) + 1900, at: 0, digits: 4)
            put(Int(fields.tm_mon) + 1, at: 5, digits: 2)
            put(Int(fields.tm_mday), at: 8, digits: 2)
            put(Int(fields.tm_hour), at: 11, digits: 2)
            put(Int(fields.tm_min), at: 14, digits: 2)
            put(Int(fields.tm_sec), at: 17, digits: 2)
        }
        put(Int(time.microseconds % 1_000_000), at: 20, digits: 6)
    }

    private mutating func put(_ value: Int, at offset: Int, digits: Int) {
        var rest = value
        for index in (offset..<offset + digits).reversed() {
            text[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }
}
