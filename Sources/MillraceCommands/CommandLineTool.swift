internal import ArgumentParser
internal import Glibc
internal import MillraceBench
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceDaemon
internal import MillraceEvent
internal import MillraceTreatment

/// Runs the command line.
package enum CommandLineTool {
    /// Parses `arguments` (without the program's name), runs the command and returns the exit status: 0 done, 1 failed,
    /// 2 wrong usage. A command that blocks does so on the calling thread.
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

    /// Takes variables that are there and empty, as compose files and units spell "not set", out of this process's
    /// environment, so that nobody who reads it (libpq too, whose `PGSSLMODE` has no empty value) takes them for a choice.
    /// To be called before any other thread runs.
    package static func removeEmptyVariables() {
        var names: [String] = []
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if text.hasSuffix("="), text.firstIndex(of: "=") == text.index(before: text.endIndex) {
                names.append(String(text.dropLast()))
            }
            next += 1
        }
        for name in names { unsetenv(name) }
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

/// `millrace`: the root of the command line.
struct MillraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Takes events from apps and writes each of them exactly once into PostgreSQL.",
        discussion: """
            Exit status: 0 done, 1 failed, 2 wrong usage.

            Example:
              millrace serve --embedded
            """,
        version: "millrace \(Version.description)",
        subcommands: [
            ServeCommand.self, ReloadCommand.self, CheckCommand.self, MigrateCommand.self, SendCommand.self,
            ImportCommand.self,
            ExportCommand.self, StatusCommand.self, TailCommand.self, TopCommand.self, LatencyCommand.self,
            VerifyCommand.self, PartitionsCommand.self,
            ProjectionsCommand.self, DeadLettersCommand.self, RulesCommand.self, UsersCommand.self, AuditCommand.self,
            KeysCommand.self,
            TenantsCommand.self, FieldsCommand.self, BackupCommand.self, RestoreCommand.self,
            ReindexCommand.self, TuneCommand.self, PsqlCommand.self, MCPCommand.self, BenchCommand.self,
        ]
    )
}

/// What a command, or the daemon, ends with: the one map from errors to it.
enum ExitStatus: Int32 {
    case done = 0
    /// The same may succeed later, or elsewhere: a service manager tries again.
    case failed = 1
    /// The command line or the configuration is wrong: the unit's RestartPreventExitStatus.
    case misused = 2

    init(_ error: any Error) {
        switch error {
        case let code as ExitCode:
            self = Self(rawValue: code.rawValue) ?? .failed
        case is ConfigurationErrors, is ListenAddressError, is FieldsError, is RulesErrors: self = .misused
        default:
            switch MillraceCommand.exitCode(for: error) {
            case .success: self = .done
            // ArgumentParser's own status for wrong use is 64 (EX_USAGE).
            case .validationFailure: self = .misused
            default: self = .failed
            }
        }
    }
}
