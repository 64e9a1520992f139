internal import FoundationEssentials
internal import MillracePostgres

/// Runs `archive.command` and `archive.fetch_command`: a shell's commands, in which `%p` stands for the file here, `%f` for
/// its name in the archive, and `%%` for a percent sign. Exit status 0 is success. Blocks.
struct ArchiveShell {
    let configuration: ArchiveConfiguration
    let interrupt: PostgresInterrupt

    /// Tries again after other exit statuses; throws `archive_command` in the end.
    func run(_ template: String, _ key: String, file: String, name: String) throws {
        let command = Self.command(template, file: file, name: name)
        var backoff = Backoff(min: .milliseconds(200), max: .seconds(30))
        while true {
            let output = ChildProcess.run(
                ["/bin/sh", "-c", command], environment: Self.environment, timeout: configuration.commandTimeout,
                interrupt: interrupt)
            if output.status == 0 { return }
            guard backoff.attempts + 1 < configuration.commandTries else {
                throw ArchiveError(
                    .archiveCommand,
                    "archive.\(key) ended with status \(output.status) for \(name), \(configuration.commandTries) times: "
                        + output.lastLine,
                    hint: "Run it by hand: \(command)")
            }
            try interrupt.pause(for: backoff.next())
        }
    }

    static func command(_ template: String, file: String, name: String) -> String {
        var command = ""
        var rest = template[...]
        while let percent = rest.firstIndex(of: "%") {
            command += rest[..<percent]
            let next = rest.index(after: percent)
            guard next < rest.endIndex else {
                command += "%"
                return command
            }
            switch rest[next] {
            case "p": command += file
            case "f": command += name
            case "%": command += "%"
            case let other: command += "%\(other)"
            }
            rest = rest[rest.index(after: next)...]
        }
        return command + rest
    }

    /// This process's, so that the command finds its own credentials, without those for the database.
    private static var environment: [String] {
        ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("PG") && !$0.key.hasPrefix("MILLRACE_") && !$0.key.hasSuffix("DATABASE_URL") }
            .map { "\($0.key)=\($0.value)" }
    }
}
