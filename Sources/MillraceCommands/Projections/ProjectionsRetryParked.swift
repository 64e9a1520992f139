internal import ArgumentParser
internal import MillraceConsole
internal import MillraceProjections

struct ProjectionsRetryParked: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry-parked",
        abstract: "Try parked events again, and say what stays parked and why.",
        discussion: """
            After a table was changed, or its CHECK relaxed: events are folded again from their rows into the projection \
            that lacks them. Those that wait for a value go in by themselves when it is free; here they are looked at anew. \
            What counters, tops and uniques refused is left out, as a rebuild counts it.

            Exit status: 0 nothing is parked any more, 1 something stays parked, 2 wrong usage.

            Example:
              millrace projections retry-parked workspaces
            """
    )

    struct Entry: Encodable {
        struct Left: Encodable {
            var fold: String
            var code: String
            var sqlstate: String
            var constraint: String
            var message: String
            var events: Int
        }

        var pack: String
        var version: Int
        var tried: Int
        var wentIn: Int
        /// Their rows are gone with their month.
        var gone: Int
        var parked: [Left]
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The pack. Default: every pack of projections.packs.") var pack: String?
    @Flag(help: "The report as JSON.") var json = false

    func run() throws {
        let context = try options.context()
        let connection = try context.connect()
        var entries: [Entry] = []
        for pack in try context.packs(named: pack) {
            let entry = Entry(try ParkedRetry(connection: connection, pack: pack).run())
            entries.append(entry)
            if !json { Console.out(entry.text) }
        }
        if json { try Console.json(["packs": entries]) }
        if !entries.allSatisfy(\.parked.isEmpty) { throw ExitCode.failure }
    }
}

extension ProjectionsRetryParked.Entry {
    init(_ report: ParkedRetryReport) {
        pack = report.pack
        version = report.version
        tried = report.tried
        wentIn = report.wentIn
        gone = report.isGone
        parked = report.left.map {
            Left(
                fold: $0.fold, code: $0.code, sqlstate: $0.sqlState, constraint: $0.constraint, message: $0.message,
                events: $0.count)
        }
    }

    /// For people.
    var text: String {
        let left = parked.reduce(0) { $0 + $1.events }
        guard tried > 0 || left > 0 else { return "pack \(pack), version \(version): nothing is parked" }
        var lines = [
            "pack \(pack), version \(version): \(Format.count(tried)) tried, \(Format.count(wentIn)) went in, "
                + "\(Format.count(left)) stay parked"
        ]
        if gone > 0 { lines.append("  \(Format.count(gone)) can't be tried: their month is retired") }
        for one in parked {
            let reason = [one.code, one.sqlstate, one.constraint].filter { !$0.isEmpty }.joined(separator: ", ")
            lines.append("  \(one.fold): \(Format.count(one.events)) (\(reason)): \(one.message)")
        }
        return lines.joined(separator: "\n")
    }
}
