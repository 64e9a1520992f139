internal import ArgumentParser
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceProjections

struct ProjectionsVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Count the projections again from the rows and show where they differ.",
        discussion: """
            Reads every row once, in one transaction that is rolled back: writers go on, and what they commit meanwhile \
            is not looked at. Rows of retired months are left out.

            Exit status: 0 equal, 1 there are differences, 2 wrong usage.

            Example:
              millrace projections verify analytics --limit 50
            """
    )

    struct Entry: Encodable {
        struct Difference: Encodable {
            var key: String
            var `is`: String
            var should: String
        }

        struct Table: Encodable {
            var table: String
            var differences: Int
            /// The first ones.
            var examples: [Difference]
        }

        var pack: String
        var version: Int
        var ok: Bool
        var batches: Int
        var rows: Int
        var batchesLeftOut: Int
        /// Rows whose batch the ledger lacks.
        var rowsUnknown: Int
        var batchesUnknown: [Int64]
        /// Rows too large to read.
        var rowsUnread: Int
        /// Ids of some of them.
        var unread: [String]
        var sealedMonths: [String]
        var tables: [Table]
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The pack. Default: every pack of projections.packs.") var pack: String?
    @Option(help: "Differences shown of each table.") var limit = 10
    @Flag(help: "No progress.") var quiet = false
    @Flag(help: "The report as JSON.") var json = false

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is at least 1.") }
    }

    func run() throws {
        let context = try options.context()
        let connection = try context.connect()
        var entries: [Entry] = []
        for pack in try context.packs(named: pack) {
            var meter = ProgressMeter(isQuiet: quiet)
            let recount = try ProjectionAudit(connection: connection, pack: pack, limit: limit).run { rows, total in
                meter.update(count: rows) { _, rate in
                    "\(pack.name)  \(Format.count(rows)) of \(Format.count(total)) rows  \(Format.count(Int(rate))) a second"
                }
            }
            meter.finish()
            let entry = Entry(recount)
            entries.append(entry)
            if !json { Console.out(entry.text) }
        }
        if json { try Console.json(["packs": entries]) }
        if !entries.allSatisfy(\.ok) { throw ExitCode.failure }
    }
}

extension ProjectionsVerify.Entry {
    init(_ recount: ProjectionRecount) {
        pack = recount.pack
        version = recount.version
        ok = recount.isEqual
        batches = recount.batches
        rows = recount.rows
        batchesLeftOut = recount.batchesLeftOut
        rowsUnknown = recount.rowsUnknown
        batchesUnknown = recount.batchesUnknown
        rowsUnread = recount.unread.count
        unread = recount.unread.examples.map { "\($0)" }
        sealedMonths = recount.sealedMonths
        tables = recount.tables.map { table in
            Table(
                table: table.table, differences: table.differenceCount,
                examples: table.differences.map { Difference(key: $0.key, is: $0.found, should: $0.expected) })
        }
    }

    private static let unreadFix =
        "their numbers are more than \(PrintedSize.bytesMax >> 20) MiB when printed; shorten or delete them"

    /// For people.
    var text: String {
        var lines = tables.flatMap { table -> [String] in
            let head = table.differences == 0 ? "ok  " : "FAIL"
            let what = table.differences == 0 ? "" : ": \(Format.count(table.differences)) differences"
            return ["\(head)  \(table.table)\(what)"]
                + table.examples.map { "      \($0.key): is \($0.is), should be \($0.should)" }
                + (table.differences > table.examples.count ? ["      …"] : [])
        }
        if rowsUnknown > 0 {
            let examples = batchesUnknown.map(String.init).joined(separator: ", ")
            lines.append(
                "FAIL  \(Format.count(rowsUnknown)) rows are of batches that the ledger lacks: \(examples); "
                    + "`millrace verify` says more")
        }
        if rowsUnread > 0 {
            lines.append(
                "FAIL  \(Format.count(rowsUnread)) rows are too large to read, so what they make was not counted: "
                    + "\(unread.joined(separator: ", ")); \(Self.unreadFix)")
        }
        if !sealedMonths.isEmpty { lines.append("note  not counted, retired: \(sealedMonths.joined(separator: ", "))") }
        if batchesLeftOut > 0 {
            lines.append(
                "note  \(Format.count(batchesLeftOut)) batches are not folded yet: `millrace projections rebuild \(pack)`"
            )
        }
        lines.append(
            "pack \(pack), version \(version): \(ok ? "equal to" : "NOT equal to") the recount of "
                + "\(Format.count(rows)) rows in \(Format.count(batches)) batches")
        return lines.joined(separator: "\n")
    }
}
