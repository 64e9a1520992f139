internal import ArgumentParser

struct ProjectionsList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Each pack's versions, tables, and how far they are.",
        discussion: """
            Counts the ledger's batches, so it takes a moment on a long one.

            Exit status: 0 every configured pack is live and current, 1 something is to be done, 2 used wrongly.

            Example:
              millrace projections list --json
            """
    )

    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "The report as JSON.") var json = false

    func run() throws {
        let context = try options.context()
        let report = try ProjectionsReport(packs: try context.packs(), connection: try context.connect())
        if json { try Console.json(report) } else { Console.out(report.text) }
        if !report.ok { throw ExitCode.failure }
    }
}
