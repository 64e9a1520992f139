package import MillraceArchive
internal import MillracePostgres

/// `partitions.retain` as text: `13mo`, or `analytics_events=13mo, conversations=36mo`.
package enum RetentionText {
    /// Nil for anything else. Empty: no table's months are retired.
    package static func parse(_ text: String) -> RetentionPolicy? {
        var policy = RetentionPolicy()
        let items = text.split(separator: ",").map { String($0).trimmed }
        for item in items {
            guard let equals = item.firstIndex(of: "=") else {
                guard items.count == 1, let age = age(item) else { return nil }
                policy.ages = Dictionary(uniqueKeysWithValues: PartitionedTable.allCases.map { ($0, age) })
                continue
            }
            let name = String(item[..<equals]).trimmed
            guard let table = PartitionedTable(rawValue: name), policy.ages[table] == nil,
                let age = age(String(item[item.index(after: equals)...]).trimmed)
            else { return nil }
            policy.ages[table] = age
        }
        return policy
    }

    /// At least a day, so that a month's last lines have come in.
    private static func age(_ text: String) -> Duration? {
        DurationText.parse(text).flatMap { $0 >= .seconds(86_400) ? $0 : nil }
    }
}
