internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// `millrace partitions list`.
struct PartitionsList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Every month of every table, its state, and what fixes it.",
        discussion: """
            States: attached; detach_pending (a DETACH CONCURRENTLY was interrupted); detached (a table of the month's \
            name that is no partition); archived (there is only its archive); missing (within partitions.ahead); renamed (a month's bounds under \
            another name); foreign (something else under a month's name). Months that are closed, retired or restored say \
            how far that is, and where their archive is.

            Example:
              millrace partitions list --json
            """)

    struct Entry: Encodable {
        var table: String
        var name: String
        /// First instant, UTC; nil for a partition that Millrace did not make.
        var from: String?
        var to: String?
        var state: String
        var fix: String?
        var rowsEstimate: Int?
        var bytes: Int?
        var payloadIndex: String?
        var isDetachPending: Bool
        /// How far it is on its way out of its table, or back: `partition_months.state`; nil for a month that is just live.
        var retirement: String?
        var goal: String?
        /// As counted when it was detached.
        var rows: Int?
        var closedAt: String?
        var archivedAt: String?
        var archive: String?
        var manifestSha256: String?
        var error: String?

        init(_ standing: MonthStanding, _ partition: Partition?) {
            table = standing.table.rawValue
            name = standing.name
            from = standing.month?.lowerBound
            to = standing.month?.upperBound
            state = standing.state.rawValue
            fix = standing.fix
            rowsEstimate = partition?.rowsEstimate
            bytes = partition?.bytes
            payloadIndex = partition?.payloadIndex.rawValue
            isDetachPending = standing.state == .detachPending
            guard let record = standing.record else { return }
            retirement = record.state.rawValue
            goal = record.goal.rawValue
            rows = record.rows
            closedAt = record.closedAt
            archivedAt = record.archivedAt
            archive = record.location
            manifestSha256 = record.manifestSHA256
            error = record.error
        }
    }

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "The report as JSON.") var json = false

    func run() throws {
        let context = try options.context()
        let partitions = MillracePostgres.Partitions(connection: try context.connect())
        let standings = try partitions.survey(ahead: context.monthsAhead, from: Timestamp.now.microseconds)
        let details = try partitions.list()
        let entries = standings.map { standing in
            Entry(standing, details.first { $0.table == standing.table && $0.name == standing.name })
        }
        if json {
            try Console.json(["partitions": entries])
        } else {
            print(entries)
        }
    }

    private func print(_ entries: [Entry]) {
        let rows = entries.map { entry in
            [
                entry.name, (entry.rowsEstimate ?? entry.rows).map { Format.count($0) } ?? "",
                entry.bytes.map { Format.bytes($0) } ?? "", entry.payloadIndex ?? "", entry.state,
                entry.retirement ?? "", entry.archive ?? "",
            ]
        }
        Console.out(
            Format.table(
                [["partition", "rows (estimate)", "size", "payload index", "state", "retirement", "archive"]] + rows))
        for entry in entries {
            if let fix = entry.fix { Console.out("\(entry.name): \(entry.state): \(fix)") }
            if let error = entry.error { Console.out("\(entry.name): \(error)") }
        }
    }
}
