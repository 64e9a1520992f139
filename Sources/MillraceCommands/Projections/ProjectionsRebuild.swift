internal import ArgumentParser
internal import MillraceConsole
internal import MillraceProjections

struct ProjectionsRebuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rebuild",
        abstract: "Build a pack's tables again from the rows, beside the live ones, and put them in their place.",
        discussion: """
            Writers and readers go on meanwhile; readers see the old tables or the new ones whole. May be stopped at any \
            time: the next run goes on. Works with the daemon down, and with several of them. Rows of retired months are \
            taken over as they are.

            Exit status: 0 the new tables are live, 1 they are not, 2 wrong usage.

            Example:
              millrace projections rebuild analytics
              millrace projections rebuild --all --json
              millrace projections rebuild analytics --abandon
            """
    )

    struct Entry: Encodable {
        var pack: String
        var version: Int
        var isContinued: Bool
        var batches: Int
        var rows: Int
        var parked: Int
        /// Rows too large to read, whose events are parked.
        var rowsUnread: Int
        var sealedMonths: [String]
        var seconds: Double
    }

    @OptionGroup var options: ConfigurationOptions
    @Argument(help: "The pack.") var pack: String?
    @Flag(help: "Every pack of projections.packs.") var all = false
    @Flag(help: "Drop the half-built version; the live one stays.") var abandon = false
    @Flag(help: "No progress.") var quiet = false
    @Flag(help: "What was done as JSON.") var json = false

    func validate() throws {
        guard all != (pack != nil) else { throw ValidationError("Give either a pack or --all.") }
    }

    func run() throws {
        let context = try options.context()
        if abandon { return try abandon(context) }
        let packs = try context.packs(named: pack)
        var entries: [Entry] = []
        for pack in packs { entries.append(try rebuild(pack, context)) }
        if json { try Console.json(["rebuilt": entries]) }
    }

    private func rebuild(_ pack: PackDefinition, _ context: CommandContext) throws -> Entry {
        var meter = ProgressMeter(isQuiet: quiet)
        let rebuild = Rebuild(connection: try context.connect(), pack: pack, joinAge: context.ledgerJoinAge)
        let report = try rebuild.run { state in
            meter.update(count: state.rows) { _, rate in Self.line(pack.name, state, rate) }
        }
        meter.finish()
        let entry = Entry(
            pack: report.pack, version: report.version, isContinued: report.isContinued, batches: report.batches,
            rows: report.rows, parked: report.parked, rowsUnread: report.unread,
            sealedMonths: report.sealedMonths, seconds: meter.elapsed.inSeconds)
        if !json { Console.out(Self.text(entry)) }
        return entry
    }

    private func abandon(_ context: CommandContext) throws {
        let connection = try context.connect()
        let names = try pack.map { [$0] } ?? context.packs().map(\.name)
        let abandoned = try names.filter { try Rebuild.abandon($0, on: connection) }
        if json { return try Console.json(["abandoned": abandoned]) }
        Console.out(
            abandoned.isEmpty
                ? "nothing to do: no version is being built"
                : "dropped the half-built version of \(abandoned.joined(separator: ", "))")
    }

    private static func line(_ pack: String, _ state: RebuildProgress, _ rate: Double) -> String {
        guard state.step == .folding else { return "\(pack)  waiting for the batches under way, to switch" }
        let done = state.batchesTotal == 0 ? 1 : Double(state.batchesDone) / Double(state.batchesTotal)
        let left = rate > 0 ? "  \(Format.duration(.seconds(Int(Double(state.rowsLeft) / rate)))) left" : ""
        return
            "\(pack)  \(Format.bar(done))  \(Format.count(state.batchesDone)) of \(Format.count(state.batchesTotal)) batches  "
            + "\(Format.count(Int(rate))) rows/s\(left)"
    }

    private static func text(_ entry: Entry) -> String {
        var text =
            "pack \(entry.pack): version \(entry.version) is live, \(Format.count(entry.batches)) batches with "
            + "\(Format.count(entry.rows)) rows folded in \(Format.duration(.milliseconds(Int(entry.seconds * 1000))))"
        if entry.isContinued { text += ", after what was there already" }
        if entry.parked > 0 {
            text += "; \(Format.count(entry.parked)) events are parked (projections.parked says why)"
        }
        if entry.rowsUnread > 0 {
            text +=
                "; \(Format.count(entry.rowsUnread)) of them because their rows are too large to read (row_too_large)"
        }
        if !entry.sealedMonths.isEmpty { text += "; taken over: \(entry.sealedMonths.joined(separator: ", "))" }
        return text
    }
}
