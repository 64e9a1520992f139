internal import ArgumentParser

/// `millrace projections`: the packs' tables.
struct ProjectionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "projections",
        abstract: "List the packs' versions, build them anew, and count them again.",
        discussion: """
            Which packs there are is said by projections.packs; `millrace migrate up` makes their tables.

            Example:
              millrace projections list
              millrace projections rebuild analytics
              millrace projections verify
            """,
        subcommands: [ProjectionsList.self, ProjectionsRebuild.self, ProjectionsVerify.self]
    )
}
