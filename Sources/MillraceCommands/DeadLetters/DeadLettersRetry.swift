internal import ArgumentParser
internal import MillraceConfiguration
internal import MillraceAPI
internal import MillraceConsole
internal import MillraceDaemon
internal import MillracePostgres
internal import MillraceTelemetry

struct DeadLettersRetry: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry",
        abstract: "Write dead letters again, once what kept them out is fixed.",
        discussion: """
            Some hundred letters in a transaction: each line is parsed again, its row gets the id, the received_at and \
            the batch that it would have had, and the ledger counts it as a row. A letter that is refused again stays, \
            with the new reason, and holds up no other one. May be killed and run again at any time.

            What the intake had refused, or a rule had quarantined, is held against the rules that rules.file has now; \
            nothing is sampled out. With --without-rules it goes in whatever they say.

            Exit status: 0 every letter went in or was there already, 1 some were refused again, 2 wrong usage.

            Example:
              millrace dead-letters retry --all --code database
              millrace dead-letters retry --id 3f0c1a9e-0000-4000-8000-000000000000
            """
    )

    @OptionGroup var options: ConfigurationOptions
    @Option(name: .customLong("id"), help: "This letter; may be given more than once.") var ids: [String] = []
    @Flag(help: "Every open letter.") var all = false
    @Option(help: "With --all: only this reason.") var code: String?
    @Option(help: "With --all: only those of this tenant.") var tenant: Int32?
    @Flag(help: "Rules by event type are not asked.") var withoutRules = false
    @Flag(help: "No progress.") var quiet = false
    @Flag(help: "What was done as JSON.") var json = false

    func validate() throws {
        guard all != !ids.isEmpty else { throw ValidationError("Give either --id or --all.") }
        guard code == nil || all else { throw ValidationError("--code goes with --all.") }
        guard tenant == nil || all else { throw ValidationError("--tenant goes with --all.") }
    }

    func run() throws {
        let context = try options.context()
        var meter = ProgressMeter(isQuiet: quiet)
        let connection = try context.connect()
        let fields = try LoadedFields(context.configuration.fields)
        let retry = LetterRetry(
            connection: connection, limits: context.eventLimits, partitions: context.partitionOptions,
            packs: try context.packs(), policy: try context.linePolicy(fields, withRules: !withoutRules),
            keys: fields.keys)
        var report = LetterRetryReport()
        let choice: LetterRetry.Choice = all ? .all(code: code, tenant: tenant) : .only(ids)
        let total = quiet ? 0 : try retry.count(choice)
        try retry.run(choice) { id, outcome in
            report.add(id, outcome)
            meter.update(count: report.retried) { _, rate in
                "\(Format.count(report.retried)) of \(Format.count(total)) letters  \(Format.count(Int(rate))) a second"
            }
        }
        meter.finish()
        if json {
            try Console.json(report)
        } else {
            Console.out(
                "\(Format.count(report.retried)) letters: \(Format.count(report.committed)) written, "
                    + "\(Format.count(report.duplicates)) were there already, \(Format.count(report.refused)) refused "
                    + "again, \(Format.count(report.skipped)) without a whole line")
            for refusal in report.refusals {
                Console.out(TerminalText.line("  \(refusal.id): \(refusal.code): \(refusal.message)"))
            }
        }
        if report.refused > 0 { throw ExitCode.failure }
    }
}
