internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// `millrace status`: one report.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "One report: daemon, memory, spool, ledger, tables, dead letters.",
        discussion: """
            With --all every daemon that writes into the database, as each told of itself in the table daemons: here; \
            silent (its session is open, and it tells nothing); stopped (in order); away (killed, or cut off).
            With --database how PostgreSQL fares: slow queries, lock waits, dead rows, bloat, indexes, cache, vacuum, \
            wraparound, connections, replication, each with the command that fixes it.

            Exit status: 0 the daemon is ready and all was reached (with --all: none is silent or away), 1 not, 2 wrong \
            usage.

            Example:
              millrace status --json
              millrace status --all
              millrace status --database
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Option(help: "Where the daemon listens: host:port or unix:/path. Default: the first of http.listen.")
    var to: Endpoint?

    @Flag(help: "Every daemon of the database, and not this host's alone.")
    var all = false

    @Flag(help: "How the database fares, and which command helps.")
    var database = false

    @Option(
        help: ArgumentHelp(
            "Take a daemon that is gone for good out of --all; the id of its spool, or how that begins.",
            valueName: "spool"))
    var forget: String?

    @Flag(help: "With --forget: also where lines waited in its spool.")
    var yes = false

    @Flag(help: "The report as JSON.")
    var json = false

    func validate() throws {
        guard [all, database, forget != nil].count(where: { $0 }) < 2 else {
            throw ValidationError("--all, --database and --forget are three reports: give one.")
        }
        guard !yes || forget != nil else { throw ValidationError("--yes is for --forget.") }
        guard forget.map({ $0.count >= 4 }) ?? true else {
            throw ValidationError("--forget takes the id of a spool, or at least its first 4 characters.")
        }
    }

    func run() throws {
        let context = try options.context()
        if let forget {
            let spool = try DaemonForgetting(connection: try context.connect()).forget(forget, isSure: yes)
            if json { return try Console.json(["forgotten": "\(spool)"]) }
            return Console.out("forgot the daemon of spool \(spool)")
        }
        if database {
            let report = try DatabaseCare(
                connection: try context.connect(timeout: .seconds(5)), timeout: .seconds(60)
            ).report()
            return Console.out(json ? String(decoding: report.json, as: UTF8.self) : report.text)
        }
        if all {
            let report = DaemonsReport(try DaemonTable(connection: try context.connect(timeout: .seconds(5))).all())
            if json { try Console.json(report) } else { Console.out(report.text) }
            if !report.isWell { throw ExitCode.failure }
            return
        }
        var report = StatusReport(daemon: try daemon(context), spool: nil, database: nil, problems: [])
        var snapshot: SpoolSnapshot?
        do {
            // Before the ledger, as `verify` does.
            snapshot = try context.spoolSnapshot(verifiesPayloads: false)
        } catch {
            report.problems.append("the spool can't be read: \(error)")
        }
        do {
            let connection = try context.connect(timeout: .seconds(5))
            report.database = try StatusQuery(connection: connection).database(at: .now)
            if let snapshot, report.database?.migrationsPending == 0 {
                report.spool = try spool(snapshot, context, LedgerAudit(connection: connection, timeout: .seconds(30)))
            }
        } catch {
            report.problems.append("the database was not reached: \(error)")
        }
        if let snapshot, report.spool == nil { report.spool = try spool(snapshot, context, nil) }
        if json { try Console.json(report) } else { Console.out(report.text) }
        if !report.isWell { throw ExitCode.failure }
    }

    private func daemon(_ context: CommandContext) throws -> StatusReport.Daemon {
        let destination = try connection.destination(to, or: context.httpListener())
        var daemon = StatusReport.Daemon(isRunning: false, isReady: false, address: "\(destination)")
        do throws(CommandError) {
            let answer = try HTTPProbe.get("/readyz", from: destination, timeout: .seconds(3))
            daemon.isRunning = true
            daemon.isReady = answer.status == 200
            let writing = WritingAnswer(answer.body)
            daemon.isWriting = writing?.writing
            if writing?.writing == false {
                daemon.writingReason = writing?.reason
                daemon.writingSince = writing?.since
            }
            if !daemon.isReady { daemon.detail = "\(answer.status) \(answer.body)" }
            let metrics = try HTTPProbe.get("/metrics", from: destination, timeout: .seconds(3))
            daemon.memory = StatusReport.Memory(metrics: metrics.body)
        } catch {
            daemon.detail = error.message
        }
        return daemon
    }

    /// Without the ledger nothing can be said about the backlog.
    private func spool(
        _ snapshot: SpoolSnapshot, _ context: CommandContext, _ audit: LedgerAudit?
    ) throws(PostgresError) -> StatusReport.Spool {
        var spool = StatusReport.Spool(
            directory: context.spoolDirectory, spoolId: "\(snapshot.spoolID)", segments: snapshot.segmentCount,
            bytes: snapshot.fileBytes, filesSetAside: snapshot.setAsideCount)
        guard let audit else { return spool }
        let account = SpoolAccount(
            snapshot: snapshot, totals: try audit.totals(of: snapshot.spoolID, before: snapshot.endSequence),
            holes: try audit.holes(of: snapshot.spoolID), runStarts: try audit.runStarts(of: snapshot.spoolID))
        spool.backlogLines = account.inSpool.values.reduce(0, +)
        spool.oldestUncommittedSeconds = account.oldestReceivedAt.map { received in
            max(0, Double(Timestamp.now.microseconds - received.microseconds) / 1e6)
        }
        return spool
    }
}
