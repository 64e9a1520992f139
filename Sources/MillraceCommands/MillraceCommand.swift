internal import ArgumentParser

/// `millrace`: the root of the command line.
struct MillraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Takes events from apps and writes each of them exactly once into PostgreSQL.",
        discussion: """
            Exit status: 0 done, 1 failed, 2 used wrongly.

            Example:
              millrace serve --embedded
            """,
        subcommands: [
            ServeCommand.self, CheckCommand.self, MigrateCommand.self, SendCommand.self, ImportCommand.self,
            ExportCommand.self, StatusCommand.self, LatencyCommand.self, VerifyCommand.self, PartitionsCommand.self,
            ProjectionsCommand.self, DeadLettersCommand.self, BenchCommand.self,
        ]
    )
}
