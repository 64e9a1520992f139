internal import ArgumentParser

/// `millrace partitions`: the months.
struct PartitionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "partitions",
        abstract: "List the months, make them ahead, retire and archive old ones, and bring them back.",
        discussion: """
            Example:
              millrace partitions list
              millrace partitions ensure --months 6
              millrace partitions retire 2025-08
              millrace partitions restore 2025-08
            """,
        subcommands: [
            PartitionsList.self, PartitionsEnsure.self, PartitionsRetire.self, PartitionsArchive.self,
            PartitionsRestore.self,
        ]
    )
}
