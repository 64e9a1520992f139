internal import ArgumentParser
internal import MillraceArchive
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// `millrace partitions ensure`.
struct PartitionsEnsure: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ensure",
        abstract: "Make this month and the months ahead where they are missing, and fix the others.",
        discussion: """
            Readers and writers go on meanwhile. A DETACH that was begun and interrupted is ended, since PostgreSQL has \
            no way back; a detached month becomes a partition again only where --attach names it, after a look at its \
            columns and that every row lies within the month.

            Exit status: 0 done, 1 something is left that `partitions list` names, 2 wrong usage.

            Example:
              millrace partitions ensure --months 6
              millrace partitions ensure --attach 2026-11
            """)

    struct Report: Encodable {
        var made: [String] = []
        var finalized: [String] = []
        var attached: [String] = []
        /// What is left to be done by hand.
        var left: [String] = []
    }

    @OptionGroup var options: ConfigurationOptions
    @Option(help: "Months ahead of this one. Default: partitions.ahead.") var months: Int?
    @Option(
        help: ArgumentHelp(
            "Make this detached month a partition again; may be given more than once.", valueName: "YYYY-MM"))
    var attach: [String] = []
    @Flag(help: "What was done as JSON.") var json = false

    func validate() throws {
        guard months.map({ (0...1200).contains($0) }) ?? true else {
            throw ValidationError("--months is 0 to 1200.")
        }
        if let wrong = attach.first(where: { PartitionMonth(label: $0) == nil }) {
            throw ValidationError("--attach \(wrong): write a month such as 2026-11.")
        }
    }

    func run() throws {
        let context = try options.context()
        let connection = try context.connect()
        let partitions = MillracePostgres.Partitions(connection: connection, options: context.partitionOptions)
        let ahead = months ?? context.monthsAhead
        let now = Timestamp.now.microseconds
        var report = Report()
        for standing in try partitions.survey(ahead: ahead, from: now) where standing.state == .detachPending {
            try partitions.finalize(standing)
            report.finalized.append(standing.name)
        }
        try attachNamed(partitions, connection, context, ahead, now, &report)
        for standing in try partitions.survey(ahead: ahead, from: now) where standing.state == .missing {
            guard let month = standing.month, try partitions.ensure(month, of: standing.table) else { continue }
            report.made.append(standing.name)
        }
        let left = try partitions.survey(ahead: ahead, from: now).filter(\.isWrong)
        report.left = left.map { "\($0.name): \($0.state.rawValue): \($0.fix ?? "")" }
        if json { try Console.json(report) } else { print(report) }
        if !left.isEmpty { throw ExitCode.failure }
    }

    private func attachNamed(
        _ partitions: MillracePostgres.Partitions, _ connection: PostgresConnection, _ context: CommandContext,
        _ ahead: Int, _ now: Int64, _ report: inout Report
    ) throws {
        let missed = MonthReturn(packs: try context.packs(), paths: context.configuration.erasure.paths)
        for month in attach.compactMap(PartitionMonth.init(label:)) {
            let detached = try partitions.survey(ahead: ahead, from: now).filter {
                $0.month == month && $0.state == .detached
            }
            guard !detached.isEmpty else {
                throw CommandError(
                    "no table has a detached month \(month.label)", hint: "See `millrace partitions list`")
            }
            for standing in detached {
                if standing.record == nil {
                    try missed.attach(month, of: standing.table, by: partitions, on: connection)
                } else {
                    let lifecycle = MonthLifecycle(
                        connection: connection, configuration: context.configuration.resolvedArchive,
                        options: context.partitionOptions, version: Version.current, missed: missed)
                    _ = try lifecycle.move(month, of: standing.table, to: .live, isAutomatic: false, now: now)
                }
                report.attached.append(standing.name)
            }
        }
    }

    private func print(_ report: Report) {
        let done =
            report.finalized.map { "\($0): its DETACH is ended" } + report.attached.map { "\($0): attached" }
            + report.made
        Console.out(done.isEmpty ? "nothing to do: every month is there" : done.joined(separator: "\n"))
        for line in report.left { Console.out(line) }
    }
}
