/// A calendar month in UTC: the unit of partitioning.
package struct PartitionMonth: Sendable, Hashable, Strideable, CustomStringConvertible {
    /// Months since the year 0, so that arithmetic is plain.
    private var index: Int

    package var year: Int { index / 12 }
    /// 1 ... 12
    package var month: Int { index % 12 + 1 }

    /// nil unless the month is 1 ... 12 and the year 1 ... 9998, so that both bounds have four digits.
    package init?(year: Int, month: Int) {
        guard (1...12).contains(month), (1...9998).contains(year) else { return nil }
        index = year * 12 + month - 1
    }

    /// The month that holds a time in microseconds since 1970-01-01T00:00:00Z. nil beyond the years 1 ... 9998.
    package init?(microseconds: Int64) {
        // Days to civil date, Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years start in March.
        let days = Int(microseconds.flooredQuotient(by: 86_400_000_000)) + 719_468
        let era = days.flooredQuotient(by: 146_097)
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        self.init(year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month)
    }

    /// From the name of a partition of `table`; nil for another name.
    package init?(partitionName: String, of table: PartitionedTable) {
        let prefix = table.rawValue + "_"
        guard partitionName.hasPrefix(prefix) else { return nil }
        guard let match = partitionName.dropFirst(prefix.count).wholeMatch(of: #/y([0-9]{4})m([0-9]{2})/#),
            let year = Int(match.output.1), let month = Int(match.output.2)
        else { return nil }
        self.init(year: year, month: month)
    }

    /// From `2026-11`; nil for anything else.
    package init?(label: String) {
        guard let match = label.wholeMatch(of: #/([0-9]{4})-([0-9]{2})/#), let year = Int(match.output.1),
            let month = Int(match.output.2)
        else { return nil }
        self.init(year: year, month: month)
    }

    /// From a partition's bounds, when they are those of one whole month.
    init?(bounds: String) {
        guard let months = Self.months(bounds: bounds), months.count == 1 else { return nil }
        self = months.lowerBound
    }

    /// The months of `FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')`, as a session in UTC sees
    /// a partition's bounds; nil for bounds that are none of whole months.
    static func months(bounds: String) -> ClosedRange<PartitionMonth>? {
        let pattern =
            #/FOR VALUES FROM \('([0-9]{4})-([0-9]{2})-01 00:00:00\+00'\) TO \('([0-9]{4})-([0-9]{2})-01 00:00:00\+00'\)/#
        guard let match = bounds.wholeMatch(of: pattern), let fromYear = Int(match.output.1),
            let fromMonth = Int(match.output.2), let toYear = Int(match.output.3), let toMonth = Int(match.output.4),
            let first = PartitionMonth(year: fromYear, month: fromMonth), (1...12).contains(toMonth)
        else { return nil }
        // The month of an upper bound need not be one that has bounds itself.
        let count = (toYear - fromYear) * 12 + toMonth - fromMonth
        return count > 0 ? first...first.advanced(by: count - 1) : nil
    }

    /// Months after the one that holds `microseconds` (since 1970) that are among `months`, without a gap; -1 when that one
    /// is missing.
    package static func countAhead(_ months: Set<PartitionMonth>, at microseconds: Int64) -> Int {
        guard let current = PartitionMonth(microseconds: microseconds) else { return -1 }
        var ahead = -1
        while months.contains(current.advanced(by: ahead + 1)) { ahead += 1 }
        return ahead
    }

    /// `2026-11`, as a person writes it.
    package var label: String { "\(Self.padded(year, 4))-\(Self.padded(month, 2))" }

    /// `y2026m11`, as in the partitions' names.
    package var description: String { "y\(Self.padded(year, 4))m\(Self.padded(month, 2))" }

    /// First instant of the month, as a `timestamptz` literal.
    package var lowerBound: String { "\(Self.padded(year, 4))-\(Self.padded(month, 2))-01 00:00:00+00" }

    /// First instant after the month, as a `timestamptz` literal.
    package var upperBound: String { advanced(by: 1).lowerBound }

    /// First instant of the month in microseconds since 1970.
    package var lowerMicroseconds: Int64 {
        let yearFromMarch = month <= 2 ? year - 1 : year
        let era = yearFromMarch / 400
        let yearOfEra = yearFromMarch - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468) * 86_400_000_000
    }

    /// First instant after the month in microseconds since 1970.
    package var upperMicroseconds: Int64 { advanced(by: 1).lowerMicroseconds }

    /// The month that is `months` later; an earlier one for a negative number.
    package func advanced(by months: Int) -> PartitionMonth {
        var other = self
        other.index += months
        return other
    }

    /// How many months later `other` is.
    package func distance(to other: PartitionMonth) -> Int { other.index - index }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension BinaryInteger {
    /// Rounded towards minus infinity, for times before 1970.
    fileprivate func flooredQuotient(by divisor: Self) -> Self {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
