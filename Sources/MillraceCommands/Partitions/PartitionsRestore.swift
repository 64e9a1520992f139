internal import ArgumentParser
internal import MillraceArchive
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// `millrace partitions restore`.
struct PartitionsRestore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Bring retired months back into their tables.",
        discussion: """
            Loads the archive, compares it with its manifest, erases the users that were erased since, builds the indexes and \
            attaches the month; a month whose table is still there is only attached. It can be read then; events that come \
            for it stay dead letters, unless --writable. Projections are as they were: they never lost what they counted. \
            Run it again after an interruption, or with --writable after it was restored without.

            Exit status: 0 done, 1 failed, 2 wrong usage.

            Example:
              millrace partitions restore 2025-08
              millrace partitions restore 2025-08 --writable && millrace dead-letters retry --all --code month_retired
            """)

    @OptionGroup var month: MonthOptions

    @Flag(help: "Late events go in again.")
    var writable = false

    func validate() throws {
        guard !month.months.isEmpty else { throw ValidationError("Name a month, such as 2025-08.") }
    }

    func run() throws {
        let context = try month.options.context()
        let connection = try context.connect()
        let now = Timestamp.now.microseconds
        try month.run(try month.chosen(on: connection), on: connection, context) { lifecycle, table, month in
            try lifecycle.move(month, of: table, to: writable ? .live : .restored, isAutomatic: false, now: now)
        }
    }
}
