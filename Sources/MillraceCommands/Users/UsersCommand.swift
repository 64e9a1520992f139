internal import ArgumentParser

/// `millrace users`: their erasure.
struct UsersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "users",
        abstract: "Erase users, and see how far that is.",
        discussion: """
            An erasure takes a user out of every month, pack, dead letter and spool; counts stay right. It can't be undone.

            Example:
              millrace users erase 843d440a-a7a7-45ee-96df-3568c37384b9 --dry-run
              millrace users list
            """,
        subcommands: [UsersErase.self, UsersList.self]
    )
}
