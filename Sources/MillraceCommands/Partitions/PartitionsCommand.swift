internal import ArgumentParser
internal import MillraceEvent
internal import MillracePostgres

/// `millrace partitions`: the months.
struct PartitionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "partitions",
        abstract: "List the months and make them ahead.",
        discussion: "Example:\n  millrace partitions list\n  millrace partitions ensure --months 6",
        subcommands: [List.self, Ensure.self]
    )

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every month of every table.", discussion: "Example:\n  millrace partitions list --json")

        struct Entry: Encodable {
            var table: String
            var name: String
            /// First instant, UTC; nil for a partition that Millrace did not make.
            var from: String?
            var to: String?
            var rowsEstimate: Int
            var bytes: Int
            var payloadIndex: String
            var isDetachPending: Bool

            init(_ partition: Partition) {
                table = partition.table.rawValue
                name = partition.name
                from = partition.month?.lowerBound
                to = partition.month?.upperBound
                rowsEstimate = partition.rowsEstimate
                bytes = partition.bytes
                payloadIndex = partition.payloadIndex.rawValue
                isDetachPending = partition.isDetachPending
            }
        }

        @OptionGroup var options: ConfigurationOptions
        @Flag(help: "The report as JSON.") var json = false

        func run() throws {
            let entries = try MillracePostgres.Partitions(connection: try options.context().connect()).list().map(
                Entry.init)
            if json { return try Console.json(["partitions": entries]) }
            let rows = entries.map { entry in
                [
                    entry.name, Format.count(entry.rowsEstimate), Format.bytes(entry.bytes), entry.payloadIndex,
                    entry.isDetachPending ? "detach pending" : "",
                ]
            }
            Console.out(Format.table([["partition", "rows (estimate)", "size", "payload index", ""]] + rows))
        }
    }

    struct Ensure: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make this month and the months ahead where they are missing.",
            discussion: "Readers and writers go on meanwhile.\n\nExample:\n  millrace partitions ensure --months 6")

        @OptionGroup var options: ConfigurationOptions
        @Option(help: "Months ahead of this one. Default: partitions.months_ahead.") var months: Int?
        @Flag(help: "What was made as JSON.") var json = false

        func validate() throws {
            guard months.map({ (0...1200).contains($0) }) ?? true else {
                throw ValidationError("--months is 0 to 1200.")
            }
        }

        func run() throws {
            let context = try options.context()
            let partitions = MillracePostgres.Partitions(
                connection: try context.connect(), options: context.partitionOptions)
            let made = try partitions.ensureAhead(
                months: months ?? context.monthsAhead, from: Timestamp.now.microseconds)
            if json { return try Console.json(["made": made]) }
            Console.out(made.isEmpty ? "nothing to do: every month is there" : made.joined(separator: "\n"))
        }
    }
}
