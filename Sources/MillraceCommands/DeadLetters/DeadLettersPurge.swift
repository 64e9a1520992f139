internal import ArgumentParser
internal import MillracePostgres

struct DeadLettersPurge: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Delete the lines of old dead letters for good.",
        discussion: """
            The letter stays without its line, so that the account of `millrace verify` still balances. Refuses without \
            --yes.

            Example:
              millrace dead-letters purge --older-than 90d --yes
            """
    )

    @OptionGroup var options: ConfigurationOptions
    @Option(help: "Letters older than this: 90s, 30m, 12h or 30d.") var olderThan: Age
    @Option(help: "Only this reason.") var code: String?
    @Flag(help: "Yes, delete these lines.") var yes = false
    @Flag(help: "What was done as JSON.") var json = false

    func run() throws {
        let purge = DeadLetterPurge(connection: try options.context().connect(), olderThan: olderThan, code: code)
        guard yes else {
            throw CommandError(
                "nothing was done: purge would delete the lines of \(Format.count(try purge.count())) dead letters",
                hint: "Run it with --yes if that is what you want")
        }
        let purged = try purge.run()
        if json { return try Console.json(["purged": purged]) }
        Console.out("purged the lines of \(Format.count(purged)) dead letters")
    }
}
