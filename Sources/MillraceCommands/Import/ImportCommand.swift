internal import ArgumentParser
internal import MillraceChannels
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

/// `millrace import`: JSON exports of other systems, and Millrace's own, to a running daemon.
struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Send JSON exports to a running daemon as events of the packs.",
        discussion: """
            A file holds an array of records of one kind, told by its name (users.json, workspaces.json) or --kind; or \
            an object with named arrays; or a record a line (.ndjson). gzip and zstd are recognized by their first bytes. What \
            `millrace export` wrote is taken, too. Records may also be members of an object, by their ids. Names may be in camelCase. Messages nested in a workspace and items \
            nested in a cart or an order become events of their own. Passwords are left out, and their hashes unless \
            --with-password-hashes asks for them.

            The same record becomes the same event: import again, and nothing is there twice. A bad record is listed \
            with its file and place, and the rest goes in.

            Kinds: users templates signatures workspaces messages (workspaces); users products carts cart_items orders \
            order_items leads (commerce); users beneficiaries documents conversations (casework); conversations \
            feedback invitations (conversations); events.

            It waits until PostgreSQL has committed, and lists what a table did not take (a missing title, a second user \
            with one e-mail) with its constraint and SQLSTATE; --no-wait ends once all is durable on the daemon's disk.

            Exit status: 0 every record is in its tables, 1 some were bad, parked or dead, or it gave up, 2 wrong usage.

            Example:
              millrace import export.json --dry-run
              millrace import users.json workspaces.json templates.json signatures.json
              millrace import --system commerce users.json.gz
              millrace import events.ndjson.zst
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "JSON or NDJSON files; - is standard input.", completion: .file())
    var files: [String]

    @Option(help: "What the records of arrays without a name are, whatever the file is called.")
    var kind: String?

    @Option(help: "Whose export it is: workspaces, commerce, casework or conversations. Default: told by the arrays.")
    var system: ImportSystem?

    @Option(
        help:
            "When what the files hold was so, for records without a time of their own. Default: when they were written."
    )
    var asOf: String?

    @Option(
        help: "Whose the records become, which must be the tenant of the key. Ids and password hashes go by it."
    )
    var tenant: Int32 = 0

    @Flag(help: "Check every record and send nothing.")
    var dryRun = false

    @Flag(
        help: """
            Put users' password hashes (bcrypt, scrypt, Argon2, PBKDF2, crypt) into public.password_hashes, by database.url. \
            What is no hash is left out all the same.
            """)
    var withPasswordHashes = false

    @Option(help: "Where the daemon listens: host:port or unix:/path. Default: the first of tcp.listen.")
    var to: Endpoint?

    @Option(
        help: "What a line waits for: committed (in PostgreSQL; the default) or spooled (durable on the daemon's disk)."
    )
    var ack: Submission.Acknowledgement?

    @Flag(help: "The same as --ack spooled: what a table does not take is not told.")
    var noWait = false

    @Option(help: "Seconds for which connections may fail in a row before it gives up.")
    var retryFor: Int = 60

    @Option(help: "Bad, parked and dead records listed at most.")
    var bad: Int = 20

    @Flag(help: "No progress.")
    var quiet = false

    @Flag(help: "The summary as JSON.")
    var json = false

    private static let windowBytesMax = 4 << 20

    func validate() throws {
        guard retryFor >= 0 else { throw ValidationError("--retry-for is 0 or more.") }
        guard bad >= 0 else { throw ValidationError("--bad is 0 or more.") }
        guard tenant >= 0 else { throw ValidationError("--tenant is 0 or more.") }
        guard !noWait || ack != .committed else {
            throw ValidationError("--no-wait and --ack committed say the opposite.")
        }
        guard files.count(where: { $0 == "-" }) <= 1 else { throw ValidationError("- can be given once.") }
        if let asOf, RecordTime.text(asOf) == nil {
            throw ValidationError("--as-of \(asOf): write a time such as 2026-01-31T12:00:00Z.")
        }
        guard let kind else { return }
        guard let collection = ImportKind.collection(SnakeCase.from(kind)) else {
            throw ValidationError(
                "--kind \(kind): the kinds are \(ImportKind.collections.sorted().joined(separator: " ")).")
        }
        if let system, !ImportKind.named(collection).contains(where: { $0.system == system || $0.system == nil }) {
            throw ValidationError("--kind \(kind): \(system.rawValue) has none.")
        }
    }

    /// What ids of saves go by; nil: their questions stay as they are.
    private static func fields(_ configuration: FieldsConfiguration) throws -> FieldTreatment? {
        guard (configuration.encrypt + configuration.sha256).contains("question") else { return nil }
        return try LoadedFields(configuration).treatment
    }

    func run() throws {
        let context = try options.context()
        let collection = kind.flatMap { ImportKind.collection(SnakeCase.from($0)) }
        var inputs = files.map { ImportFile(path: $0, kind: collection, system: system) }
        do throws(CommandError) {
            try KindSurvey.assign(&inputs)
        } catch {
            throw ValidationError("\(error)")
        }
        let destination = dryRun ? nil : try connection.destination(to, or: context.tcpListener())
        let database = withPasswordHashes && !dryRun ? try context.connect() : nil
        if let database { try TenantOption.check(tenant, on: database) }
        let source = ImportSource(
            files: inputs,
            translator: RecordTranslator(
                limits: context.eventLimits, lineBytesMax: context.lineBytesMax, tenant: tenant,
                takesHashes: withPasswordHashes, fields: try Self.fields(context.configuration.fields)),
            asOf: asOf.flatMap { RecordTime.text($0) }, problemsMax: bad
        ) { (hashes) throws(CommandError) in
            guard let database else { return }
            do throws(PostgresError) {
                try PasswordHash.write(hashes, of: tenant, on: database)
            } catch {
                throw CommandError(
                    "password hashes could not be written: \(error.message)",
                    hint: "Run `millrace migrate up`, then import again")
            }
        }
        var meter = ProgressMeter(isQuiet: quiet)
        var failure: CommandError?
        var unsettled = 0
        do throws(CommandError) {
            if let destination {
                try send(source, to: destination, &meter, unsettled: &unsettled)
            } else {
                try checkAll(source, &meter)
            }
        } catch {
            failure = error
        }
        source.writeHashes()
        if failure == nil { failure = source.hashFailure }
        meter.finish()
        let report = ImportReport(
            of: source, isDryRun: dryRun, unsettled: unsettled, elapsed: meter.elapsed, failure: failure)
        if json { try Console.json(report) } else { Console.out(report.text) }
        if let failure { throw failure }
        if !report.isComplete { throw ExitCode.failure }
    }

    private func send(
        _ source: ImportSource, to destination: Destination, _ meter: inout ProgressMeter, unsettled: inout Int
    ) throws(CommandError) {
        var session = SendSession(
            destination: destination, acknowledgement: ack ?? (noWait ? .spooled : .committed), reader: source,
            machine: SendStateMachine(
                windowBytesMax: Self.windowBytesMax, retryFor: .seconds(retryFor), keptMax: 0, tenant: tenant))
        defer { unsettled = session.machine.window.count }
        try session.run { progress in Self.show(progress, source, &meter) }
    }

    private func checkAll(_ source: ImportSource, _ meter: inout ProgressMeter) throws(CommandError) {
        while true {
            switch try source.next() {
            case .line: source.answered(.init(count: 1))
            case .tooLong: break
            case .needsInput:
                try source.read()
                let progress = SendProgress(
                    accepted: source.accepted.values.reduce(0, +), refused: 0, readBytes: source.readBytes,
                    totalBytes: source.totalBytes, unsettled: 0, trouble: nil)
                Self.show(progress, source, &meter)
            case .ended: return
            }
        }
    }

    private static func show(_ progress: SendProgress, _ source: ImportSource, _ meter: inout ProgressMeter) {
        var progress = progress
        progress.refused = source.problemCount
        meter.update(count: progress.accepted + progress.refused) { elapsed, rate in
            progress.line(elapsed: elapsed, linesPerSecond: rate)
        }
    }
}
