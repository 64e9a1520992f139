internal import ArgumentParser
internal import MillraceArchive
internal import MillraceConsole
internal import MillraceEvent

/// `millrace partitions archive`.
struct PartitionsArchive: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "archive",
        abstract: "Write months that are over as NDJSON, and verify it; they stay where they are.",
        discussion: """
            DIRECTORY/analytics_events/year=2025/month=08/part-0000.ndjson.zst … and manifest.json, in the order of \
            (created_at, id), a line a row with all its columns: DuckDB, ClickHouse and Spark read that layout as it is. The \
            files are loaded again into a table of their own and compared before the command is content. A month that is \
            retired later is archived again only if its rows have changed.

            Exit status: 0 done, 1 failed, 2 wrong usage.

            Example:
              millrace partitions archive 2025-08
              millrace partitions archive 2025-08 --table analytics_events --json
            """)

    @OptionGroup var month: MonthOptions

    func validate() throws {
        guard !month.months.isEmpty else { throw ValidationError("Name a month, such as 2025-08.") }
    }

    func run() throws {
        let context = try month.options.context()
        let connection = try context.connect()
        let now = Timestamp.now.microseconds
        try month.run(try month.chosen(on: connection), on: connection, context) { lifecycle, table, month in
            try lifecycle.archive(month, of: table, now: now)
        }
    }
}
