import MillraceEvent
import MillracePostgres

/// Knows the table of each of a batch's leaves, as the catalog had it last, and makes the months that are missing.
/// Belongs to one writer.
///
/// What it knows may be out of date: each batch asks, before it commits, whether the tables it filled are still
/// partitions (`BatchWriter`), and if one is not, this looks again.
final class LeafPartitions {
    /// Where the rows of a month go.
    enum Place: Equatable {
        /// As SQL names it.
        case table(String)
        /// Nowhere: the month was detached, or is retired; or it is restored, to be read.
        case retired
        /// Nowhere: so far from now that only a wrong clock can have given the time.
        case unacceptable
    }

    private struct Month: Hashable {
        var table: PartitionedTable
        var month: PartitionMonth
    }

    /// Beyond what is accepted, for events that were accepted and have waited, and those received under a clock that was
    /// somewhat wrong.
    private static let marginPast = Duration.seconds(366 * 86_400)
    private static let marginFuture = Duration.seconds(31 * 86_400)

    private let configuration: PartitionsConfiguration
    private let options: PartitionOptions
    private var places: [Month: Place] = [:]

    /// `options`: how months are made.
    init(_ configuration: PartitionsConfiguration, options: PartitionOptions) {
        self.configuration = configuration
        self.options = options
    }

    /// Rows whose id decides alone whether they are new go through the parent: they are few, and were received in
    /// whatever month.
    func place(of key: LeafKey) -> Place {
        guard let month = key.partitionMonth else { return .table(key.parent) }
        return place(of: month, in: key.table)
    }

    func place(of month: PartitionMonth, in table: PartitionedTable) -> Place {
        places[Month(table: table, month: month)] ?? .table("public.\(table.partitionName(month))")
    }

    /// Whether rows of a leaf have nowhere to go, as the catalog was when it was last looked at.
    func hasDoubtful(_ leaves: [EncodedLeaf]) -> Bool {
        leaves.contains {
            if case .table = place(of: $0.key) { false } else { true }
        }
    }

    /// Reads which months are attached. Blocks; in a transaction or out of it.
    func look(on connection: PostgresConnection) throws(PostgresError) {
        let partitions = Partitions(connection: connection, options: options)
        let unattached = places.filter { if case .table = $0.value { false } else { true } }.keys
        var found: [Month: Place] = [:]
        for table in PartitionedTable.allCases {
            for (month, name) in try partitions.attached(to: table) {
                found[Month(table: table, month: month)] = .table(name)
            }
            for month in try MonthTable.shut(of: table, on: connection) {
                found[Month(table: table, month: month)] = .retired
            }
        }
        for month in unattached where found[month] == nil {
            found[month] = try retiredPlace(month.month, of: month.table, partitions)
        }
        places = found
    }

    /// Looks again, and makes the months that rows want and that are not there. Blocks. The connection must be idle.
    func ensureLeaves(of leaves: [EncodedLeaf], on connection: PostgresConnection) throws(PostgresError) {
        let partitions = Partitions(connection: connection, options: options)
        try look(on: connection)
        for leaf in leaves {
            for month in leaf.key.partitionMonth.map({ [$0] }) ?? leaf.months where !isPlaced(month, leaf.key.table) {
                try ensure(month, of: leaf.key.table, partitions)
            }
        }
    }

    /// Whether it has a place, or is retired, so that it gets none.
    private func isPlaced(_ month: PartitionMonth, _ table: PartitionedTable) -> Bool {
        switch places[Month(table: table, month: month)] {
        case .table, .retired: true
        case .unacceptable, nil: false
        }
    }

    private func ensure(
        _ month: PartitionMonth, of table: PartitionedTable, _ partitions: Partitions
    ) throws(PostgresError) {
        let key = Month(table: table, month: month)
        if let place = try retiredPlace(month, of: table, partitions) {
            places[key] = place
            return
        }
        var name = table.partitionName(month)
        var number = 1
        while try partitions.hasTable(named: name) {
            number += 1
            name = "\(table.partitionName(month))_\(number)"
        }
        try partitions.ensure(month, of: table, as: name)
        places[key] = .table("public.\(name)")
    }

    /// nil for a month that may be made.
    private func retiredPlace(
        _ month: PartitionMonth, of table: PartitionedTable, _ partitions: Partitions
    ) throws(PostgresError) -> Place? {
        if !isAcceptable(month) { return .unacceptable }
        guard configuration.retired == .deadLetter else { return nil }
        return try partitions.hasTable(named: table.partitionName(month)) ? .retired : nil
    }

    private func isAcceptable(_ month: PartitionMonth) -> Bool {
        let now = Timestamp.now.microseconds
        let past = (configuration.acceptPast + Self.marginPast).components.seconds * 1_000_000
        let future = (configuration.acceptFuture + Self.marginFuture).components.seconds * 1_000_000
        return month.upperMicroseconds > now - past && month.lowerMicroseconds <= now + future
    }
}
