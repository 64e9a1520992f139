internal import ArgumentParser
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceTreatment

/// `millrace rules`: what `rules.file` says, and whether it does what is meant.
struct RulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Check the rules by event type, and try them on examples.",
        discussion: """
            Changes nothing, and asks no daemon: `millrace reload` puts a changed file in force.

            Example:
              millrace rules test /etc/millrace/rules.toml
            """,
        subcommands: [RulesCheck.self, RulesShow.self, RulesTest.self]
    )
}

/// The file that a command looks at.
struct RulesOptions: ParsableArguments {
    @OptionGroup var options: ConfigurationOptions
    @Argument(help: ArgumentHelp("The rules. Default: rules.file.", valueName: "file")) var file: String?
    @Flag(help: "The report as JSON.") var json = false

    func context() throws -> CommandContext { try options.context() }

    /// Reads it. Throws `RulesErrors`.
    func rules(_ context: CommandContext) throws -> RulesFile {
        let path = file ?? context.configuration.rules.file
        guard !path.isEmpty else {
            throw CommandError("rules.file names no file", hint: "Name one: millrace rules test rules.toml")
        }
        return try RulesFile(path: path)
    }
}

/// `millrace rules check`.
struct RulesCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read the rules as the daemon would, and say what is wrong with them.",
        discussion: """
            Exit status: 0 the rules can be put in force, 1 they can't, 2 wrong usage.

            Example:
              millrace rules check rules.toml
            """
    )

    struct Report: Encodable {
        struct Flaw: Encodable {
            var code: String
            var file: String
            var line: Int
            var key: String?
            var pointer: String?
            var message: String

            init(_ error: RulesError) {
                (code, file, line) = (error.code.rawValue, error.file, error.line)
                (key, pointer, message) = (error.key, error.pointer, error.message)
            }
        }

        var file: String
        var ok: Bool
        var rules = 0
        var examples = 0
        var errors: [Flaw] = []
    }

    @OptionGroup var options: RulesOptions

    func run() throws {
        let context = try options.context()
        let path = options.file ?? context.configuration.rules.file
        do {
            let file = try options.rules(context)
            let report = Report(
                file: path, ok: true, rules: file.definitions.count, examples: file.examples.count)
            if options.json { return try Console.json(report) }
            Console.out("\(path): \(report.rules) rules, \(report.examples) examples")
        } catch let errors as RulesErrors {
            guard options.json else { throw CommandError("\(errors)", hint: "Nothing is in force that was not before") }
            try Console.json(Report(file: path, ok: false, errors: errors.errors.map(Report.Flaw.init)))
            throw ExitCode.failure
        }
    }
}

/// `millrace rules show`.
struct RulesShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "List the rules in their order; with --type those that one event goes by.",
        discussion: """
            Example:
              millrace rules show rules.toml --type order.placed --tenant 1
            """
    )

    struct Report: Encodable {
        struct Rule: Encodable {
            var name: String
            var lines: String
            var eventTypes: [String]
            var tenants: [Int32]
            var allow: [String]?
            var deny: [String]
            var sample: Double?
            var sampleBy: String?
            var schema: Bool
            var action: String

            init(_ rule: RuleDefinition) {
                (name, lines, eventTypes, tenants) = (rule.name, rule.lines.rawValue, rule.eventTypes, rule.tenants)
                (allow, deny, sample) = (rule.allow, rule.deny, rule.sample)
                sampleBy = rule.sample == nil ? nil : rule.sampleBy.rawValue
                (schema, action) = (rule.hasSchema, rule.action.rawValue)
            }

            var wants: String {
                var wants: [String] = []
                if let allow { wants.append("one of \(allow.joined(separator: ", "))") }
                if !deny.isEmpty { wants.append("none of \(deny.joined(separator: ", "))") }
                if let sample, let sampleBy { wants.append("\(sample) of them, by \(sampleBy)") }
                if schema { wants.append("its schema") }
                return wants.joined(separator: "; ")
            }
        }

        var file: String
        var rules: [Rule]
    }

    @OptionGroup var options: RulesOptions
    @Option(help: "Only rules that an event of this type goes by.") var type: String?
    @Option(help: "Only rules that lines of this tenant go by.") var tenant: Int32?

    func run() throws {
        let file = try options.rules(try options.context())
        let shown = file.definitions.filter { rule in
            (type.map { rule.isAbout(type: $0) } ?? true)
                && (tenant.map { rule.tenants.isEmpty || rule.tenants.contains($0) } ?? true)
        }
        let report = Report(file: file.path, rules: shown.map(Report.Rule.init))
        if options.json { return try Console.json(report) }
        guard !report.rules.isEmpty else { return Console.out("no rules") }
        let rows = report.rules.map { rule in
            [
                rule.name,
                rule.lines == "saves"
                    ? "saves" : rule.eventTypes.isEmpty ? "all events" : rule.eventTypes.joined(separator: " "),
                rule.tenants.isEmpty ? "all" : rule.tenants.map(String.init).joined(separator: " "), rule.wants,
                rule.action,
            ]
        }
        Console.out(Format.table([["rule", "lines", "tenants", "wants", "else"]] + rows))
    }
}
