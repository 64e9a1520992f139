import MillraceTestSupport
import MillraceEvent

/// Lines that are the same whenever they are asked for again.
protocol LineSource: Sendable {
    /// Each ended by `\n`.
    func lines(_ range: Range<Int>) -> [UInt8]
}

/// Makes lines that are the same whenever they are asked for again, so that a sender needs to remember none.
struct EventFactory: LineSource {
    /// Tells the lines of one factory from another's.
    let seed: UInt64
    /// Milliseconds since 1970 that times are counted back from.
    let now: Int64

    init(seed: UInt64) {
        self.seed = seed
        now = Timestamp.now.microseconds / 1000
    }

    /// Line `index` without a line ending: events whose identity is their id and time, a UUIDv7, or their id alone, and
    /// conversation saves, spread over three months.
    func line(_ index: Int) -> String {
        var random = SeededGenerator(seed: seed &* 1_000_003 &+ UInt64(index))
        let milliseconds = now - Int64(index % 90) * 86_400_000 - Int64(index)
        let (high, low) = (random.next(), random.next())
        let payload =
            "{\"n\":\(index),\"amount\":\(random.next() % 10_000).50,\"text\":\"größer \\u20ac \(random.next())\"}"
        switch index % 8 {
        case 3:
            return """
                {"conversation_id":"c-\(seed)-\(index)","question":"why \(index)?","response":"because\\n\(high)",\
                "user_id":"\(Self.uuid(high, low, version: 4))","timestamp":"\(Self.time(milliseconds))",\
                "metadata":\(payload)}
                """
        case 5:
            let high = UInt64(milliseconds) << 16 | high & 0xFFFF
            return "{\"event_type\":\"chaos.v7\",\"id\":\"\(Self.uuid(high, low, version: 7))\",\"payload\":\(payload)}"
        case 7:
            return
                "{\"event_type\":\"chaos.timeless\",\"id\":\"\(Self.uuid(high, low, version: 4))\",\"payload\":\(payload)}"
        default:
            return """
                {"event_type":"chaos.timed","id":"\(Self.uuid(high, low, version: 4))","created_at":\(milliseconds),\
                "user_id":"\(Self.uuid(low, high, version: 4))","payload":\(payload)}
                """
        }
    }

    /// Lines, each ended by `\n`.
    func lines(_ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in range {
            bytes += line(index).utf8
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    static func uuid(_ high: UInt64, _ low: UInt64, version: UInt64) -> UniqueID {
        UniqueID(
            high: high & 0xFFFF_FFFF_FFFF_0FFF | version << 12, low: low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        )
    }

    /// RFC 3339 in UTC.
    static func time(_ milliseconds: Int64) -> String {
        let days = milliseconds / 86_400_000
        let rest = milliseconds % 86_400_000
        // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days, after 1970.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let clock = [rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60].map { padded($0, 2) }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock.joined(separator: ":"))"
            + ".\(padded(rest % 1000, 3))Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
