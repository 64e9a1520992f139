internal import ArgumentParser
internal import MillraceArchive
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceWriter

/// `millrace partitions retire`.
struct PartitionsRetire: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire",
        abstract: "Take months out of their tables: detach, archive, verify, drop.",
        discussion: """
            live → sealing → detaching → detached → archived → verified → dropped. Each step is written down, and the same \
            command goes on where an earlier one ended, however it ended. The table is dropped last, after its archive was \
            loaded again and compared with it. Intake, writers and readers go on meanwhile; events that come later for \
            the month are dead letters (month_retired). Projections keep what they counted.

            A month leaves only after every daemon that `millrace status --all` shows has put in what it had acknowledged. \
            One that is away is named, and nothing is detached: start it, forget it (`millrace status --forget`), or go on \
            with --without-spool.

            Without months: those that partitions.retain no longer keeps, as the daemon does by itself; --dry-run shows \
            which.

            Exit status: 0 done, 1 a month is not where it should be, 2 wrong usage.

            Example:
              millrace partitions retire --dry-run
              millrace partitions retire 2025-08 2025-09
              millrace partitions retire 2025-08 --table conversations --keep-table
              millrace partitions retire 2025-08 --without-spool 0199d2b1-6f0e-7c3a-9d52-0f6c1b7a8e44
            """)

    @OptionGroup var month: MonthOptions

    @Flag(help: "Only say what would be done.")
    var dryRun = false

    @Flag(help: "End with the verified archive; the table stays beside it, detached.")
    var keepTable = false

    @Flag(help: "End with the table by itself, without an archive.")
    var detachOnly = false

    @Option(
        help: ArgumentHelp(
            "Don't wait for this spool, whose daemon is away: its rows of the month become dead letters. May be given more than once.",
            valueName: "spool-id"))
    var withoutSpool: [String] = []

    func validate() throws {
        guard withoutSpool.allSatisfy({ UniqueID($0) != nil }) else {
            throw ValidationError("--without-spool takes a spool's UUID, as this command names it.")
        }
        guard !keepTable || !detachOnly else { throw ValidationError("--keep-table or --detach-only, not both.") }
    }

    func run() throws {
        let context = try month.options.context()
        let connection = try context.connect()
        let now = Timestamp.now.microseconds
        let isPolicy = month.months.isEmpty
        let months = isPolicy ? try due(context, connection, now) : try month.chosen(on: connection)
        if dryRun { return try show(months, connection) }
        let goal: MonthGoal =
            detachOnly
            ? .detached : keepTable ? .verified : isPolicy ? context.configuration.partitions.retirement.goal : .dropped
        let passed = Set(withoutSpool.compactMap { UniqueID($0) })
        try month.run(months, on: connection, context, without: passed) { lifecycle, table, month in
            try lifecycle.move(month, of: table, to: goal, isAutomatic: isPolicy, now: now)
        }
    }

    private func due(
        _ context: CommandContext, _ connection: PostgresConnection, _ now: Int64
    ) throws -> [(table: PartitionedTable, month: PartitionMonth)] {
        let policy = context.configuration.retention
        guard !policy.ages.isEmpty else {
            throw CommandError(
                "partitions.retain is not set",
                hint: "Set it (\"13mo\"), or name the months: millrace partitions retire 2025-08")
        }
        let records = try MonthTable.all(connection)
        var due: [(PartitionedTable, PartitionMonth)] = []
        for table in month.tables {
            let attached = try MillracePostgres.Partitions(connection: connection).attached(to: table).keys
            let begun = records.filter { $0.table == table && $0.isAutomatic && !$0.isAtGoal }.map(\.month)
            let old = attached.filter { month in
                let state = records.first { $0.table == table && $0.month == month }?.state ?? .live
                return policy.isDue(month, of: table, at: now) && state == .live
            }
            due += Set(begun + old).sorted().map { (table, $0) }
        }
        return due
    }

    private func show(
        _ months: [(table: PartitionedTable, month: PartitionMonth)], _ connection: PostgresConnection
    ) throws {
        let details = try MillracePostgres.Partitions(connection: connection).list()
        let entries = try months.map { table, month in
            let partition = details.first { $0.table == table && $0.month == month }
            let record = try MonthTable.record(of: month, in: table, on: connection)
            return PlannedMonth(
                table: table.rawValue, month: month.label, state: record?.state.rawValue ?? "live",
                rowsEstimate: partition?.rowsEstimate, bytes: partition?.bytes)
        }
        if self.month.json { return try Console.json(["months": entries]) }
        guard !entries.isEmpty else { return Console.out("nothing to do") }
        Console.out(
            Format.table(
                [["table", "month", "state", "rows (estimate)", "size"]]
                    + entries.map {
                        [
                            $0.table, $0.month, $0.state, $0.rowsEstimate.map { Format.count($0) } ?? "",
                            $0.bytes.map { Format.bytes($0) } ?? "",
                        ]
                    }))
    }
}

/// What `--dry-run` says of a month.
private struct PlannedMonth: Encodable {
    var table: String
    var month: String
    var state: String
    var rowsEstimate: Int?
    var bytes: Int?
}
