internal import ArgumentParser
internal import FoundationEssentials
internal import Glibc
internal import MillraceAPI
internal import MillraceConfiguration
internal import MillraceConsole

/// `millrace reload`: the running daemon takes a changed configuration.
struct ReloadCommand: ParsableCommand {
    private struct Report: Decodable {
        struct Change: Decodable {
            var key: String
            var old: String
            var new: String

            var line: String { old == new ? "\(key): changed" : "\(key): \(old) -> \(new)" }
        }

        struct Part: Decodable {
            var name: String
            var detail: String
        }

        var applied: [Change]
        var needsRestart: [Change]
        var unchanged: Int
        var parts: [Part]
    }

    private struct Refusal: Decodable {
        struct Problem: Decodable {
            var code: String
            var message: String
        }
        var error: Problem
    }

    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have the running daemon read its configuration again, and wait until it is in force.",
        discussion: """
            Applies what config.toml marks as Reloadable, certificates and token keys, without closing a connection. What \
            wants a restart is named, and stays as it was. All or nothing: where anything is wrong, nothing changes, and \
            file, line and key are said. The daemon reads its own file and environment, as at its start; SIGHUP does the \
            same, and its log says what came of it.

            Exit status: 0 applied, 1 refused or not reached, 2 wrong usage.

            Example:
              millrace reload
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Where the daemon listens: host:port or unix:/path. Default: the first of http.listen.")
    var to: Endpoint?

    @Option(
        help: ArgumentHelp(
            "Send SIGHUP to the daemon of this process id, and wait for its answer beside the spool: for the unit's "
                + "ExecReload, which has no key.", valueName: "pid"))
    var pid: Int32?

    @Flag(help: "The daemon's report as JSON.")
    var json = false

    func run() throws {
        let (destination, answer) = try answer
        let refusal = try? JSONDecoder().decode(Refusal.self, from: Data(answer.body.utf8))
        if refusal?.error.code == "reload_refused", let reasons = refusal?.error.message { throw Self.refused(reasons) }
        guard answer.status == 200 else {
            throw CommandError(
                "\(destination) answered \(answer.status): \(refusal?.error.message ?? "no reason given")",
                hint: [401, 403].contains(answer.status)
                    ? "Show a key with the scope admin by --key-file or MILLRACE_KEY, or send SIGHUP"
                    : "See `millrace reload --help`, and that the daemon is of this version")
        }
        if json { return Console.out(answer.body) }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let report = try? decoder.decode(Report.self, from: Data(answer.body.utf8)) else {
            throw CommandError("\(destination) gave another answer", hint: "See that the daemon is of this version")
        }
        Console.out(Self.text(report))
    }

    /// Who answered, and what.
    private var answer: (from: String, HTTPProbe.Answer) {
        get throws {
            do {
                let context = try options.context()
                if let pid { return try ("process \(pid)", signalled(pid, context)) }
                let destination = try connection.destination(to, or: context.httpListener())
                return try (
                    "\(destination)", HTTPProbe.post("/v1/reload", to: destination, timeout: .seconds(Self.wait))
                )
            } catch let errors as ConfigurationErrors {
                // The daemon would say the same of the same file.
                throw Self.refused(errors.description)
            }
        }
    }

    private static let wait = 60

    private func signalled(_ pid: Int32, _ context: CommandContext) throws -> HTTPProbe.Answer {
        let file = ReloadAnswerFile(spoolDirectory: context.spoolDirectory)
        let before = file.version
        guard kill(pid, SIGHUP) == 0 else {
            throw CommandError(
                "process \(pid) takes no signal: \(String(cString: strerror(errno)))",
                hint: "Run it as the daemon's user, with the id of `millrace serve`")
        }
        let end = ContinuousClock.now + .seconds(Self.wait)
        while file.version == before {
            guard ContinuousClock.now < end else {
                throw CommandError(
                    "process \(pid) has not answered in \(file.path)",
                    hint: "See its log; is this the directory of its spool, and does it run?")
            }
            usleep(20_000)
        }
        return HTTPProbe.Answer(status: 200, body: file.text)
    }

    private static func refused(_ reasons: String) -> CommandError {
        CommandError("not reloaded, everything is as it was:\n\(reasons)\n", hint: "Correct it and reload again")
    }

    private static func text(_ report: Report) -> String {
        var lines: [String] = []
        if !report.applied.isEmpty { lines += ["applied:"] + report.applied.map { "  \($0.line)" } }
        for part in report.parts { lines.append("\(part.name): \(part.detail)") }
        if !report.needsRestart.isEmpty {
            lines += ["as before, until a restart:"] + report.needsRestart.map { "  \($0.line)" }
        }
        lines.append("unchanged: \(report.unchanged) settings")
        return lines.joined(separator: "\n")
    }
}
