internal import ArgumentParser
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceTreatment
internal import MillraceWriter

/// `millrace check`: what would stop the daemon, and how to fix it.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Configuration, machine, disk, database, partitions: what would stop the daemon, and how to fix it.",
        discussion: """
            Prints every value that is not a default and where it came from (--all: every value), then tries what the \
            daemon needs. Changes nothing. May run while the daemon does.

            Exit status: 0 all is well, 1 something failed, 2 wrong usage.

            Example:
              millrace check --config /etc/millrace/config.toml --all
            """
    )

    struct Report: Encodable {
        struct Setting: Encodable {
            var key: String
            var value: String
            var origin: String
        }

        var ok: Bool { checks.allSatisfy(\.ok) }
        /// nil when no file was read.
        var file: String?
        var settings: [Setting] = []
        var checks: [CheckResult] = []

        private enum CodingKeys: CodingKey {
            case ok, file, settings, checks
        }

        func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(ok, forKey: .ok)
            try values.encode(file, forKey: .file)
            try values.encode(settings, forKey: .settings)
            try values.encode(checks, forKey: .checks)
        }
    }

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Every value, defaults too.")
    var all = false

    @Flag(help: "The report as JSON; it names every value.")
    var json = false

    func run() throws {
        var report = Report()
        do {
            let loaded = try options.load()
            let context = CommandContext(loaded)
            report.file = loaded.file
            report.settings = loaded.settings.map {
                .init(key: $0.key, value: $0.value, origin: "\($0.origin)")
            }
            report.checks.append(
                CheckResult("configuration", ok: true, detail: loaded.file ?? "no file: defaults", fix: ""))
            let leftOut = ConnectionString(loaded.configuration.database.url.value).leftOut
            if !leftOut.isEmpty {
                let detail = """
                    without \(leftOut.joined(separator: ", ")), which is for other clients; Millrace's tables are in the schemas \
                    public and projections
                    """
                report.checks.append(CheckResult("database.url", ok: true, detail: detail, fix: ""))
            }
            report.checks.append(SecretFileCheck(files: loaded.secretFiles).run())
            report.checks.append(TokenKeyCheck(configuration: loaded.configuration.jwt).run())
            let packs = (try? context.packs()) ?? []  // what is wrong with them is the database checks' finding
            report.checks += FieldsCheck(configuration: loaded.configuration.fields, packs: packs).run()
            report.checks += RulesFileCheck(path: loaded.configuration.rules.file).run()
            report.checks += TLSCheck(configuration: loaded.configuration).run()
            report.checks.append(KeyChecks(configuration: loaded.configuration).listeners())
            report.checks += MachineChecks(configuration: loaded.configuration).run()
            report.checks += DirectoryChecks(configuration: loaded.configuration).run()
            report.checks += DatabaseChecks(context: context).run()
            report.checks += BackupChecks(configuration: loaded.configuration).run()
            report.checks += DaemonCheck(context: context).run()
        } catch let error as ConfigurationErrors {
            report.checks += error.errors.map { wrong in
                CheckResult("configuration", ok: false, detail: "\(wrong)", fix: "Correct it there.")
            }
        }
        if json { try Console.json(report) } else { print(report) }
        if !report.ok { throw ExitCode.failure }
    }

    private func print(_ report: Report) {
        let shown = report.settings.filter { all || $0.origin != "\(ConfigurationOrigin.builtIn)" }
        if !shown.isEmpty {
            Console.out(Format.table([["key", "value", "from"]] + shown.map { [$0.key, $0.value, $0.origin] }))
        }
        let hidden = report.settings.count - shown.count
        if hidden > 0 { Console.out("\(hidden) values are the defaults (--all shows them)") }
        Console.out("")
        for check in report.checks { Console.out(check.text) }
        Console.out("")
        let failed = report.checks.count { !$0.ok }
        Console.out(failed == 0 ? "all is well" : failed == 1 ? "1 check failed" : "\(failed) checks failed")
    }
}

/// One thing that must hold, and whether it does.
struct CheckResult: Encodable, Equatable {
    var name: String
    var ok: Bool
    /// What was found.
    var detail: String
    /// What to do about it; nil when there is nothing to do. A warning is `ok`, and has one.
    var fix: String?

    private enum CodingKeys: String, CodingKey {
        case name, ok, detail
        case fix = "mend"
    }

    init(_ name: String, ok: Bool, detail: String, fix: String) {
        self.name = name
        self.ok = ok
        self.detail = detail
        self.fix = ok ? nil : fix
    }

    /// What stops nothing, and should not stay so.
    static func warning(_ name: String, detail: String, fix: String) -> CheckResult {
        var result = CheckResult(name, ok: true, detail: detail, fix: "")
        result.fix = fix
        return result
    }

    /// For people.
    var text: String {
        "\(ok ? fix == nil ? "ok  " : "warn" : "FAIL")  \(name): \(detail)" + (fix.map { "\n      \($0)" } ?? "")
    }
}
