internal import ArgumentParser
internal import Glibc
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceTelemetry
internal import MillraceTreatment

/// `millrace rules test`.
struct RulesTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Hold every [[example]] of the rules' file against the rules.",
        discussion: """
            An example is a line, or a file with a line each, and what is expected of it: keep, refuse, quarantine or \
            sample_out. With --lines, lines of another file are held against the rules too, and only counted.

            Exit status: 0 every example came to what it expects, 1 some did not or the rules are wrong, 2 wrong usage.

            Example:
              millrace rules test rules.toml
              millrace export --from 2026-11-01 | millrace rules test rules.toml --lines -
            """
    )

    struct Report: Encodable {
        struct Failure: Encodable {
            var name: String
            var file: String
            var line: Int
            var expected: String
            var found: String
        }

        struct Count: Encodable {
            var outcome: String
            /// nil: of lines that are kept.
            var rule: String?
            var lines: Int
        }

        var file: String
        var examples = 0
        var failed = 0
        var failures: [Failure] = []
        /// Of --lines.
        var lines: [Count]?
    }

    /// Failures shown.
    private static let failuresMax = 20

    @OptionGroup var options: RulesOptions
    @Option(
        help: ArgumentHelp(
            "Also count what becomes of these lines, an event or save each; - is standard input.", valueName: "file"))
    var lines: String?
    @Option(help: "With --lines: whose they are.") var tenant: Int32 = 0

    func run() throws {
        let context = try options.context()
        let file: RulesFile
        do {
            file = try options.rules(context)
        } catch let errors as RulesErrors {
            throw CommandError("\(errors)", hint: "`millrace rules check` says the same")
        }
        let trial = RuleTrial(rules: file.rules, limits: context.eventLimits)
        var report = Report(file: file.path)
        for example in file.examples {
            report.examples += 1
            guard let found = trial.failure(of: example) else { continue }
            report.failed += 1
            guard report.failures.count < Self.failuresMax else { continue }
            report.failures.append(
                .init(
                    name: example.name, file: example.file, line: example.place, expected: example.expectation,
                    found: found))
        }
        if let lines { report.lines = try count(lines, trial) }
        if options.json { try Console.json(report) } else { print(report) }
        if report.failed > 0 { throw ExitCode.failure }
    }

    private func count(_ path: String, _ trial: RuleTrial) throws -> [Report.Count] {
        struct Kind: Hashable {
            var name: String
            var rule: String?
        }
        var counts: [Kind: Int] = [:]
        let descriptor = path == "-" ? STDIN_FILENO : try CompressedInput.open(path)
        defer { if path != "-" { close(descriptor) } }
        var reader = LineReader(descriptor: descriptor)
        reading: while true {
            let outcome: RuleTrial.Outcome
            switch try reader.next() {
            case .needsInput:
                try reader.read()
                continue
            case .ended: break reading
            case .tooLong: outcome = .noLine(message: "")
            case .line(let line, _): outcome = trial.outcome(of: line, tenant: tenant)
            }
            counts[Kind(name: outcome.name, rule: outcome.rule), default: 0] += 1
        }
        return counts.sorted { $0.value > $1.value }.map { kind, count in
            .init(outcome: kind.name, rule: kind.rule, lines: count)
        }
    }

    private func print(_ report: Report) {
        for failure in report.failures {
            Console.out(
                TerminalText.line(
                    "\(failure.file):\(failure.line): example \(failure.name): expected \(failure.expected); \(failure.found)"
                ))
        }
        Console.out("\(Format.count(report.examples)) examples, \(Format.count(report.failed)) failed")
        guard let lines = report.lines else { return }
        let rows = lines.map { [$0.outcome, $0.rule ?? "", Format.count($0.lines)] }
        Console.out(Format.table([["outcome", "rule", "lines"]] + rows))
    }
}
