internal import Glibc
internal import ArgumentParser

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

    private static func report(_ error: any Error) -> Int32 {
        let code = MillraceCommand.exitCode(for: error)
        if code == .success {
            Console.out(MillraceCommand.fullMessage(for: error))
            return 0
        }
        if let error = error as? CommandError {
            Console.error("millrace: \(error)")
            return 1
        }
        let message = MillraceCommand.fullMessage(for: error)
        if !message.isEmpty { Console.error(message) }
        // ArgumentParser's own status for wrong use is 64 (EX_USAGE).
        return code == .validationFailure ? 2 : 1
    }
}
