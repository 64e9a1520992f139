internal import ArgumentParser
internal import MillraceBackup
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

struct UsersErase: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase",
        abstract: "Erase a user from tables, projections, dead letters and spools.",
        discussion: """
            Their events stay and lose the user_id, what erasure.payload_paths names, and every other mention of the id; \
            their conversations, and what packs keep of them, go. Each daemon does its own spool's part; one that is away does it \
            when it comes back, and until then the erasure holds the id. Run again, it goes on.

            Exit status: 0 done, 1 not done yet (a spool is away), 2 wrong usage.

            Example:
              millrace users erase 843d440a-a7a7-45ee-96df-3568c37384b9 --dry-run
              millrace users erase --external customer-17 --tenant 3 --yes
            """)

    struct Report: Encodable {
        var erasure: String?
        var tenant: Int32
        var state: String
        var counts: [String: Int]
        /// Spools whose daemons have still to do their part.
        var waitingFor: [String]
    }

    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var tenant: TenantOption
    @Argument(help: ArgumentHelp("The user's id.", valueName: "id")) var user: UserIDArgument?
    @Option(help: "The tenant's own id of the user instead.") var external: String?
    @Flag(help: "Count what would change, and change nothing.") var dryRun = false
    @Flag(help: "Without a question.") var yes = false
    @Flag(help: "No progress.") var quiet = false
    @Flag(help: "What was done as JSON.") var json = false
    @Option(help: "How many seconds to wait for daemons to do their part.") var wait = 60
    @Option(help: ArgumentHelp("Wait no more for this spool, which is gone for good.", valueName: "spool-id"))
    var withoutSpool: [String] = []

    func validate() throws {
        guard (user == nil) != (external == nil) else { throw ValidationError("Give either an id or --external.") }
        guard external.map({ !$0.isEmpty && $0.utf8.count <= 200 }) ?? true else {
            throw ValidationError("--external is 1 to 200 bytes.")
        }
        guard wait >= 0 else { throw ValidationError("--wait is 0 or more.") }
        guard withoutSpool.allSatisfy({ UniqueID($0) != nil }) else {
            throw ValidationError("--without-spool takes a spool's UUID, as this command names it.")
        }
    }

    func run() throws {
        let context = try options.context()
        let connection = try context.connect()
        let queue = ErasureQueue(on: connection)
        guard try queue.isThere else {
            throw CommandError("the database knows no erasures", hint: "Run `millrace migrate up`")
        }
        let owner = try tenant.known(on: connection)
        let name = external ?? user?.text ?? ""
        let run = ErasureRun(
            connection: connection, packs: try context.packs(), paths: context.configuration.erasure.paths,
            fieldKeys: try LoadedFields(context.configuration.fields).keys)
        var meter = ProgressMeter(isQuiet: quiet)
        if dryRun {
            let counts = try run.count(name, tenant: owner) { step in
                meter.update(count: 0) { _, _ in Self.line(step) }
            }
            meter.finish()
            return try report(Report(tenant: owner, state: "dry run", counts: counts.byName, waitingFor: []))
        }
        guard yes || Self.isConfirmed(name) else {
            throw CommandError("nothing was erased", hint: "Give --yes, or answer yes on a terminal")
        }
        let erasure = try queue.add(name, tenant: owner, source: .command)
        for spool in withoutSpool.compactMap({ UniqueID($0) }) { _ = try queue.forget(spool: spool) }
        let end = ContinuousClock.now + .seconds(wait)
        while true {
            _ = try run.run { step in meter.update(count: 0) { _, _ in Self.line(step) } }
            let report = try self.report(of: erasure, owner, on: connection)
            if report.state == "done" || report.state == "spools" && ContinuousClock.now >= end {
                meter.finish()
                if report.state == "done" { keep(erasure, beside: context.configuration.backupDirectory, connection) }
                try self.report(report)
                if report.state != "done" { throw ExitCode.failure }
                return
            }
            meter.update(count: 0) { _, _ in
                report.waitingFor.isEmpty
                    ? "waiting for another session's erasure"
                    : "waiting for \(report.waitingFor.joined(separator: ", "))"
            }
            try connection.interrupt.pause(for: .milliseconds(200))
        }
    }

    /// Beside the backups, as each daemon does beside its spool: there may be none.
    private func keep(_ erasure: String, beside directory: String, _ connection: PostgresConnection) {
        let journal = ErasureJournal(besideBackups: directory, spool: "commands")
        do {
            guard journal.hasFolder else { return }
            try journal.append(try ErasureRows(on: connection).done([erasure]))
        } catch {
            Console.error("note: the erasure is not kept in \(journal.path): \(error)")
        }
    }

    private func report(of erasure: String, _ tenant: Int32, on connection: PostgresConnection) throws -> Report {
        let rows = try connection.query(
            """
            SELECT own.state, counts.key, counts.value
            FROM public.erasures AS own
            LEFT JOIN LATERAL jsonb_each_text(own.counts) AS counts ON true
            WHERE own.id = $1::uuid
            """, parameters: [.text(erasure)])
        let daemons = try DaemonTable(connection: connection).all()
        let spools = try connection.query(
            "SELECT spool_id::text FROM public.erasure_spools WHERE erasure_id = $1::uuid AND state <> 'done' ORDER BY 1",
            parameters: [.text(erasure)]
        ).texts.map { row in
            let known = daemons.first { "\($0.row.spoolID)" == row[0] }
            let since = known?.awaySince.map { " since \($0.rfc3339)" } ?? ""
            return "spool \(row[0]) of \(known?.row.host ?? "?") (\(known?.state.rawValue ?? "unknown")\(since))"
        }
        return Report(
            erasure: erasure, tenant: tenant, state: rows.string(0, 0) ?? "",
            counts: Dictionary(
                (0..<rows.rowCount).compactMap { row in rows.string(row, 1).map { ($0, rows.count(row, 2)) } }
            ) { first, _ in first }, waitingFor: spools)
    }

    private func report(_ report: Report) throws {
        if json { return try Console.json(report) }
        let counts = ErasureCounts.names.compactMap { name in
            report.counts[name].map { "\(Format.count($0)) \(name.replacing("_", with: " "))" }
        }.joined(separator: ", ")
        switch report.state {
        case "dry run": Console.out("would change: \(counts)")
        case "done": Console.out("erased (\(report.erasure ?? "")): \(counts)")
        default:
            Console.out(
                """
                the tables are done (\(report.erasure ?? "")): \(counts)
                waiting for \(report.waitingFor.joined(separator: ", "))
                start its daemon, which does the rest; or, where it is gone for good, run this again with --without-spool ID
                """)
        }
    }

    private static func isConfirmed(_ name: String) -> Bool {
        guard Console.isErrorTerminal else { return false }
        Console.errorPart("erase user \(name) for good? [yes/no] ")
        return readLine() == "yes"
    }

    private static func line(_ step: ErasureRun.Step) -> String {
        switch step {
        case .outbox: "waiting until the outbox's rows of the user are taken"
        case .waitingForSpools(let left): "waiting until \(left) spools have written what they had"
        case .month(let name, let pages, let total):
            "\(name)  \(Format.bar(total == 0 ? 1 : Double(pages) / Double(total)))"
        case .tables(let pack): "pack \(pack)"
        case .sketches(let done, let total): "sketches  \(done) of \(total)"
        case .vacuum(let table): "vacuum \(table)"
        }
    }
}

/// A user's id on the command line: a UUID.
struct UserIDArgument: ExpressibleByArgument {
    var text: String

    init?(argument: String) {
        guard let id = UniqueID(argument) else { return nil }
        text = "\(id)"
    }
}

extension ErasureCounts {
    static let names = ErasureCounts().named.map(\.name)

    fileprivate var byName: [String: Int] { Dictionary(named.map { ($0.name, $0.count) }) { first, _ in first } }
}
