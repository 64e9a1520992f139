internal import ArgumentParser
internal import MillraceArchive
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// What `retire`, `archive` and `restore` share: the months, how they are reported, and how the command ends.
struct MonthOptions: ParsableArguments {
    @OptionGroup var options: ConfigurationOptions

    @Argument(help: ArgumentHelp("The months.", valueName: "YYYY-MM"))
    var months: [String] = []

    @Option(help: "analytics_events or conversations; may be given more than once. Default: both.")
    var table: [PartitionedTable] = []

    @Flag(help: "No progress.")
    var quiet = false

    @Flag(help: "What became of each month as JSON.")
    var json = false

    func validate() throws {
        if let wrong = months.first(where: { PartitionMonth(label: $0) == nil }) {
            throw ValidationError("\(wrong): write a month such as 2026-08.")
        }
    }

    var tables: [PartitionedTable] { table.isEmpty ? PartitionedTable.allCases : table }

    /// Oldest first; of each the tables that have it, in any form.
    func chosen(on connection: PostgresConnection) throws -> [(table: PartitionedTable, month: PartitionMonth)] {
        let partitions = MillracePostgres.Partitions(connection: connection)
        let records = try MonthTable.all(connection)
        var chosen: [(PartitionedTable, PartitionMonth)] = []
        for month in Set(months.compactMap(PartitionMonth.init(label:))).sorted() {
            let known = try tables.filter { table in
                try records.contains { $0.table == table && $0.month == month }
                    || partitions.attached(to: table)[month] != nil
                    || partitions.hasTable(named: table.partitionName(month))
            }
            guard !known.isEmpty else {
                throw ArchiveError(
                    .monthUnknown, "there is no month \(month.label)",
                    hint: "`millrace partitions list` shows the months there are.")
            }
            chosen += known.map { ($0, month) }
        }
        return chosen
    }

    /// Does `work` with each, tells how far it is, reports all, and ends with status 1 when one failed.
    func run(
        _ months: [(table: PartitionedTable, month: PartitionMonth)], on connection: PostgresConnection,
        _ context: CommandContext, without passedSpools: Set<UniqueID> = [],
        _ work: (MonthLifecycle, PartitionedTable, PartitionMonth) throws -> MonthRecord
    ) throws {
        var report = MonthReport()
        var meter = ProgressMeter(isQuiet: quiet)
        let missed = MonthReturn(packs: try context.packs(), paths: context.configuration.erasure.paths)
        for (table, month) in months {
            let name = table.partitionName(month)
            let lifecycle = MonthLifecycle(
                connection: connection, configuration: context.configuration.resolvedArchive,
                options: context.partitionOptions, version: Version.current, missed: missed,
                passedSpools: passedSpools
            ) { progress in
                meter.update(count: progress.rows) { elapsed, rate in
                    MonthReport.line(name, progress, elapsed: elapsed, perSecond: rate)
                }
            }
            do {
                report.months.append(.init(try work(lifecycle, table, month)))
            } catch {
                let record = connection.isUsable ? try MonthTable.record(of: month, in: table, on: connection) : nil
                report.months.append(.init(record ?? MonthRecord(table: table, month: month), error: "\(error)"))
                // Without a session there is nothing more to be done.
                if !connection.isUsable { break }
            }
        }
        meter.finish()
        if json { try Console.json(report) } else { Console.out(report.text) }
        if report.months.contains(where: { $0.error != nil }) { throw ExitCode.failure }
    }
}

extension PartitionedTable: ExpressibleByArgument {}
