internal import MillracePostgres

/// How many months are made ahead.
enum MonthsAhead {
    /// Months behind the current one whose partition is there, without a gap; -1 when the current one is missing.
    static func count(_ months: Set<PartitionMonth>, at microseconds: Int64) -> Int {
        guard let current = PartitionMonth(microseconds: microseconds) else { return -1 }
        var ahead = -1
        while months.contains(current.advanced(by: ahead + 1)) { ahead += 1 }
        return ahead
    }
}
