internal import MillraceEvent

/// Writes a conversation save as a line of the spool, always with its time: the id depends on it, and a replay must
/// derive the same one.
enum ConversationLine {
    static func bytes(_ save: ConversationSave) -> [UInt8] {
        var line = Array("{\"conversation_id\":".utf8)
        line += JSONAnswer.encode(save.conversationID)
        line += Array(",\"question\":".utf8)
        line += JSONAnswer.encode(save.question)
        line += Array(",\"response\":".utf8)
        line += JSONAnswer.encode(save.response)
        line += Array(",\"user_id\":\"\(save.userID)\",\"timestamp\":\"\(rfc3339(save.createdAt))\",\"source\":".utf8)
        line += JSONAnswer.encode(save.source)
        line += Array(",\"metadata\":".utf8)
        // Outside of strings, where alone they can be, line breaks are white space.
        line += save.metadata.utf8.map { $0 == 0x0A ? 0x20 : $0 }
        line += Array("}\n".utf8)
        return line
    }

    /// UTC, with microseconds.
    static func rfc3339(_ time: Timestamp) -> String {
        let (seconds, microseconds) = time.microseconds.quotientAndRemainder(floor: 1_000_000)
        let (day, second) = seconds.quotientAndRemainder(floor: 86_400)
        let (year, month, date) = civil(day)
        let clock = [second / 3600, second / 60 % 60, second % 60].map { padded($0, 2) }.joined(separator: ":")
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(date, 2))T\(clock).\(padded(microseconds, 6))Z"
    }

    /// Year, month, and day of the month of a day since the epoch. Howard Hinnant, "chrono-compatible low-level date
    /// algorithms", civil_from_days.
    private static func civil(_ day: Int64) -> (Int64, Int64, Int64) {
        let (era, dayOfEra) = (day + 719_468).quotientAndRemainder(floor: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Int64 {
    fileprivate func quotientAndRemainder(floor divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
