internal import ArgumentParser
internal import Glibc

/// Runs the command line.
package enum CommandLineTool {
    /// Parses `arguments` (without the program's name), runs the command and returns the exit status: 0 done, 1 failed,
    /// 2 used wrongly. A command that blocks does so on the calling thread.
    @MainActor
    package static func run(_ arguments: [String]) async -> Int32 {
        // A reader that went away (`millrace status | head`) is an error of `write`, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try MillraceCommand.parseAsRoot(arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            return report(error)
        }
    }

    /// Every error of the stages says what, where and the next step in its description, and keeps secrets out of it.
    private static func report(_ error: any Error) -> Int32 {
        let status = ExitStatus(error)
        if error is ExitCode { return status.rawValue }
        switch (status, MillraceCommand.exitCode(for: error)) {
        case (.done, _): Console.out(MillraceCommand.fullMessage(for: error))
        case (.misused, .validationFailure): Console.error(MillraceCommand.fullMessage(for: error))
        case (.misused, _), (.failed, _): Console.error("millrace: \(error)")
        }
        return status.rawValue
    }
}
