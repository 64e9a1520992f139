/// How far a month is on its way out of its table, or back: `partition_months.state`. A month without a row there is live.
package enum MonthState: String, Sendable, CaseIterable {
    case live
    /// To be detached; rows still go in.
    case sealing
    /// Its DETACH may be under way, or done.
    case detaching
    /// A table by itself, whose rows were counted.
    case detached
    /// Its archive is written.
    case archived
    /// The archive was loaded again, and is what the table holds.
    case verified
    /// There is only the archive.
    case dropped
    /// The archive is being loaded; there is no table, or one that nobody can see yet.
    case restoring
    /// Its table is whole, and becomes a partition again.
    case attaching
    /// A partition again, which takes no rows.
    case restored

    /// Whether rows of the month go in.
    package var takesRows: Bool { self == .live || self == .sealing }

    /// Whether its rows are in no table, as far as anybody sees.
    package var isAway: Bool { self == .dropped || self == .restoring }

    /// As an SQL list: the states in which rows go in.
    package static let taking = allCases.filter(\.takesRows).map { "'\($0.rawValue)'" }.joined(separator: ", ")
}

/// Where a month is going: `partition_months.goal`.
package enum MonthGoal: String, Sendable, CaseIterable {
    /// Back, and to take rows.
    case live
    case detached
    /// Archived; its table stays.
    case verified
    case dropped
    /// Back, to be read.
    case restored

    /// What of `millrace partitions` goes there.
    package var command: String {
        switch self {
        case .live: "restore --writable"
        case .restored: "restore"
        case .detached: "retire --detach-only"
        case .verified: "retire --keep-table"
        case .dropped: "retire"
        }
    }
}
