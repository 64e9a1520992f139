internal import ArgumentParser

/// `millrace dead-letters`: lines that are not in the tables, each with its reason.
struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "List, retry and purge the lines that are not in the tables.",
        discussion: """
            Example:
              millrace dead-letters list --code database
              millrace dead-letters retry --all
              millrace dead-letters purge --older-than 90d --yes
            """,
        subcommands: [DeadLettersList.self, DeadLettersRetry.self, DeadLettersPurge.self]
    )
}
