internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// `millrace verify`: nothing lost, nothing twice.
struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Audit spool, ledger and tables: nothing lost, nothing twice.",
        discussion: """
            Reads every month once and changes nothing; with --since, what was written since then and no more. May run while the daemon does. Checks that the ledger's batches \
            neither overlap nor leave holes that the spool does not fill, that the tables hold the rows that the ledger \
            says, batch by batch, and that received = committed + duplicate + dead + refused + in spool.

            Exit status: 0 all is well, 1 something is wrong, 2 wrong usage.

            Example:
              millrace verify --json
              millrace verify --since 7d
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @Option(
        help:
            "Only batches made since then: RFC 3339, a day (UTC), or how long ago (90s, 30m, 12h, 7d). Says what it left out."
    )
    var since: AuditStart?

    @Flag(help: "Leave out the count of ids that stand at more than one time, which reads every id.")
    var skipIds = false

    @Option(help: "Seconds that one statement may take; a month is read in one.")
    var timeout: Int = 3600

    @Flag(help: "No progress.")
    var quiet = false

    @Flag(help: "The report as JSON.")
    var json = false

    func run() throws {
        var meter = ProgressMeter(isQuiet: quiet)
        let context = try options.context()
        let connection = try context.connect()
        let begunAt = try connection.execute("SELECT clock_timestamp()::text").string(0, 0)
        let snapshot = try context.spoolSnapshot(verifiesPayloads: true)
        let verification = Verification(
            connection: connection, snapshot: snapshot, begunAt: begunAt, timeout: .seconds(timeout),
            since: since?.time, countsRepeatedIDs: !skipIds)
        var report = try verification.run { what in
            meter.update(count: 0) { elapsed, _ in "verifying \(what)  \(Format.duration(elapsed))" }
        }
        meter.finish()
        report.seconds = meter.elapsed.reportedSeconds
        if json { try Console.json(report) } else { Console.out(report.text) }
        if !report.ok { throw ExitCode.failure }
    }
}

/// From when on `verify` looks: RFC 3339, a day (UTC), or how long ago, `7d`.
struct AuditStart: Equatable, ExpressibleByArgument {
    var time: Timestamp

    init?(argument: String) {
        if let age = Age(argument: argument) {
            time = Timestamp.now.advanced(by: .seconds(-age.seconds))
        } else if let time = RecordTime.text(argument) {
            self.time = time
        } else {
            return nil
        }
    }
}
