internal import ArgumentParser
internal import Glibc
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// `millrace export`: rows back as the lines that they were made of.
struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write rows as NDJSON, in the format that the daemon takes.",
        discussion: """
            Writes the events and the active conversations created from --from up to, and without, --to, each in order \
            of time, with ids and times as they are. `millrace send` or `millrace import` of the file makes the same rows \
            in another database, and none twice; whose they are is no part of them, so that with the key of another tenant \
            they become rows of that one. The file has its name only once it is whole and on disk. A row that is \
            too large to read is named and left out, and the exit status is 1.

            Exit status: 0 done, 1 failed, 2 wrong usage.

            Example:
              millrace export --from 2026-11-01 --to 2026-12-01
              millrace export --from 2026-11-05T12:00:00Z --to 2026-11-05T13:00:00Z --table events --output - --no-compress
            """
    )

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "First time exported: RFC 3339, or a day (UTC).")
    var from: String

    @Option(help: "First time not exported any more: RFC 3339, or a day (UTC).")
    var to: String

    @Option(help: "events, conversations or all.")
    var table: ExportTable = .all

    @Option(
        help: "The file; - is standard output. Default: millrace-FROM-TO.ndjson.zst in this directory.",
        completion: .file())
    var output: String?

    @Flag(name: .customLong("no-compress"), help: "Plain NDJSON, not zstd.")
    var isPlain = false

    @Flag(help: "Replace the file.")
    var force = false

    @OptionGroup var owner: TenantOption

    @Option(help: "Seconds that one table may take.")
    var timeout: Int = 86_400

    @Flag(help: "No progress.")
    var quiet = false

    @Flag(help: "The sums as JSON.")
    var json = false

    func validate() throws {
        for (name, value) in [("--from", from), ("--to", to)] where RecordTime.text(value) == nil {
            throw ValidationError("\(name) \(value): write a time such as 2026-01-31T12:00:00Z, or a day.")
        }
        if let from = RecordTime.text(from), let to = RecordTime.text(to), from >= to {
            throw ValidationError("--from is before --to.")
        }
        guard timeout > 0 else { throw ValidationError("--timeout is at least 1.") }
    }

    func run() throws {
        guard let from = RecordTime.text(from), let to = RecordTime.text(to) else { throw ExitCode.failure }
        let path = output == "-" ? nil : output ?? defaultPath
        if let path, !force, access(path, F_OK) == 0 {
            throw CommandError("\(path) is there already", hint: "Give another with --output, or --force")
        }
        let connection = try options.context().connect()
        let tenant = try owner.known(on: connection)
        let file = try ExportFile(path: path, isCompressed: !isPlain)
        var meter = ProgressMeter(isQuiet: quiet)
        let export = Export(
            connection: connection, from: from, to: to, tenant: tenant, timeout: .seconds(timeout))
        let counts = try export.run(table.tables, into: file) { progress in
            meter.update(count: progress.rows) { elapsed, rate in
                Self.line(progress, bytes: file.bytes, elapsed: elapsed, rowsPerSecond: rate)
            }
        }
        try file.finish()
        meter.finish()
        let report = ExportReport(
            file: path, from: from.rfc3339, to: to.rfc3339, events: counts.events,
            conversations: counts.conversations, inactiveConversations: counts.inactive,
            rowsUnread: counts.unread.count, unread: counts.unread.examples.map { "\($0)" }, total: counts.rows,
            bytes: file.bytes, writtenBytes: file.writtenBytes,
            seconds: meter.elapsed.reportedSeconds)
        if path == nil {
            // Standard output is the export's.
            if !quiet { Console.error(report.text) }
        } else if json {
            try Console.json(report)
        } else {
            Console.out(report.text)
        }
        if counts.unread.count > 0 { throw ExitCode.failure }
    }

    private var defaultPath: String {
        let plain = { (text: String) in text.filter { $0.isLetter || $0.isNumber || $0 == "-" } }
        return "millrace-\(plain(from))-\(plain(to)).ndjson" + (isPlain ? "" : ".zst")
    }

    private static func line(
        _ progress: Export.Progress, bytes: Int, elapsed: Duration, rowsPerSecond: Double
    ) -> String {
        let parts = [
            Format.bar(progress.fraction), "\(Format.count(progress.rows)) rows", Format.bytes(bytes),
            "\(Format.count(Int(rowsPerSecond))) rows/s", Format.timeLeft(progress.fraction, elapsed: elapsed),
        ]
        return parts.compactMap { $0 }.joined(separator: "  ")
    }
}

/// What `--table` names.
enum ExportTable: String, CaseIterable, ExpressibleByArgument {
    case events
    case conversations
    case all

    var tables: [PartitionedTable] {
        switch self {
        case .events: [.analyticsEvents]
        case .conversations: [.conversations]
        case .all: [.analyticsEvents, .conversations]
        }
    }
}
