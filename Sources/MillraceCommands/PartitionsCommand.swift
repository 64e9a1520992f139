internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// `millrace partitions`: the months.
struct PartitionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "partitions",
        abstract: "List the months and make them ahead.",
        discussion: """
            Example:
              millrace partitions list
              millrace partitions ensure --months 6
            """,
        subcommands: [List.self, Ensure.self]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every month of every table, its state, and what fixes it.",
            discussion: """
                States: attached; detach_pending (a DETACH CONCURRENTLY was interrupted); detached (a table of the month's \
                name that is no partition); missing (within partitions.ahead); renamed (a month's bounds under \
                another name); foreign (something else under a month's name).

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
                    entry.name, entry.rowsEstimate.map { Format.count($0) } ?? "",
                    entry.bytes.map { Format.bytes($0) } ?? "", entry.payloadIndex ?? "", entry.state,
                ]
            }
            Console.out(Format.table([["partition", "rows (estimate)", "size", "payload index", "state"]] + rows))
            for entry in entries { if let fix = entry.fix { Console.out("\(entry.name): \(entry.state): \(fix)") } }
        }
    }

    struct Ensure: ParsableCommand {
        static let configuration = CommandConfiguration(
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
            let partitions = MillracePostgres.Partitions(
                connection: try context.connect(), options: context.partitionOptions)
            let ahead = months ?? context.monthsAhead
            let now = Timestamp.now.microseconds
            var report = Report()
            for standing in try partitions.survey(ahead: ahead, from: now) where standing.state == .detachPending {
                try partitions.finalize(standing)
                report.finalized.append(standing.name)
            }
            try attachNamed(partitions, ahead, now, &report)
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
            _ partitions: MillracePostgres.Partitions, _ ahead: Int, _ now: Int64, _ report: inout Report
        ) throws {
            for month in attach.compactMap(PartitionMonth.init(label:)) {
                let detached = try partitions.survey(ahead: ahead, from: now).filter {
                    $0.month == month && $0.state == .detached
                }
                guard !detached.isEmpty else {
                    throw CommandError(
                        "no table has a detached month \(month.label)", hint: "See `millrace partitions list`")
                }
                for standing in detached {
                    try partitions.attach(month, of: standing.table)
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
}
