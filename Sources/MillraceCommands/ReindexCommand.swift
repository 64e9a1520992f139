internal import ArgumentParser
internal import MillraceConsole
internal import MillracePostgres
internal import MillraceThreads
internal import Synchronization

/// `millrace reindex`: indexes that have grown beyond their rows are built anew.
struct ReindexCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reindex",
        abstract: "Rebuild indexes one by one, while rows are written and read.",
        discussion: """
            REINDEX … CONCURRENTLY, one index at a time, those first that give most; each is in the audit log. Without names, \
            Millrace's own: events, conversations, their months, ledger, packs. It may be interrupted: what an interrupted \
            rebuild leaves is dropped, and the next run goes on after what was rebuilt within --skip-within. How much an index \
            wastes is estimated from the planner's statistics.

            Exit status: 0 done, 1 some were not rebuilt, 2 wrong usage.

            Example:
              millrace reindex --bloated --dry-run
              millrace reindex --bloated
              millrace reindex conversations_document_idx
            """)

    struct Entry: Encodable, Sendable {
        var index: String
        var table: String
        var bytesBefore: Int
        /// An estimate, from before.
        var wastedBytes: Int?
        /// nil where it was not rebuilt.
        var bytesAfter: Int?
        /// Why not.
        var error: String?
    }

    struct Report: Encodable, Sendable {
        /// What interrupted rebuilds had left.
        var droppedLeftovers: [String] = []
        var indexes: [Entry] = []
    }

    @OptionGroup var options: ConfigurationOptions

    @Argument(help: "Indexes, or tables for all of theirs, with their schema where that is not public.")
    var names: [String] = []

    @Flag(help: "Only those that waste more than --above.")
    var bloated = false

    @Option(
        help: ArgumentHelp("With --bloated: the share of an index that is waste, in percent.", valueName: "percent"))
    var above = 40

    @Flag(help: "Drop what interrupted rebuilds left, and rebuild nothing.")
    var leftovers = false

    @Option(help: "Leave out what was rebuilt so short a time ago, such as 0s or 7d.")
    var skipWithin = Age(hours: 24)

    @Option(help: "How long one lock, or one older transaction, is waited for; nobody queues behind that.")
    var lockTimeout = Age(argument: "60s") ?? Age(hours: 1)

    @Flag(help: "Say what would be rebuilt, and rebuild nothing.")
    var dryRun = false

    @Flag(help: "No progress.")
    var quiet = false

    @Flag(help: "The report as JSON.")
    var json = false

    func validate() throws {
        guard (1...99).contains(above) else { throw ValidationError("--above is 1 to 99.") }
        guard lockTimeout.seconds > 0 else { throw ValidationError("--lock-timeout is above 0s.") }
        guard !leftovers || names.isEmpty && !bloated else {
            throw ValidationError("--leftovers goes with neither names nor --bloated.")
        }
    }

    func run() async throws {
        let context = try options.context()
        let connectionString = try context.connectionString()
        let board = ReindexBoard()
        let watcher = try context.connect(to: connectionString)
        let reindex = Reindex(
            names: names, wasteMin: bloated ? Double(above) / 100 : nil, onlyLeftovers: leftovers,
            skipWithin: .seconds(names.isEmpty ? skipWithin.seconds : 0), lockTimeout: .seconds(lockTimeout.seconds),
            isDry: dryRun)
        async let work = BlockingThread.run(named: "reindex") {
            defer { board.finish() }
            return try reindex.run(connectionString, board)
        }
        await watch(board, on: watcher)
        let report = try await work
        if json { try Console.json(report) } else { Console.out(text(report)) }
        if report.indexes.contains(where: { $0.error != nil }) { throw ExitCode.failure }
    }

    /// Shows how far it is until it is done.
    private func watch(_ board: ReindexBoard, on connection: PostgresConnection) async {
        var meter = ProgressMeter(isQuiet: quiet || json)
        while let state = board.state {
            try? await Task.sleep(for: .milliseconds(100))
            meter.update(count: state.doneBytes) { elapsed, _ in
                let build = try? IndexBuildProgress.of(session: state.session, on: connection)
                let within = Double(state.bytes) * (build?.share ?? 0)
                let share = state.totalBytes > 0 ? (Double(state.doneBytes) + within) / Double(state.totalBytes) : 1
                let parts = [Format.bar(share), state.index, build?.phase, Format.timeLeft(share, elapsed: elapsed)]
                return parts.compactMap { $0 }.joined(separator: "  ")
            }
        }
        meter.finish()
    }

    private func text(_ report: Report) -> String {
        var lines = report.droppedLeftovers.map { "\($0): left by an interrupted rebuild, dropped" }
        if leftovers {
            return lines.isEmpty
                ? "nothing to do: no interrupted rebuild has left anything" : lines.joined(separator: "\n")
        }
        guard !report.indexes.isEmpty else {
            return (lines + ["nothing to do" + (bloated ? ": no index wastes more than \(above) %" : "")])
                .joined(separator: "\n")
        }
        let rows = report.indexes.map { entry in
            [
                entry.index, Format.bytes(entry.bytesBefore), entry.bytesAfter.map { Format.bytes($0) } ?? "-",
                entry.wastedBytes.map { Format.bytes($0) } ?? "-",
            ]
        }
        lines.append(Format.table([["index", "size", "after", "waste (estimate)"]] + rows))
        for entry in report.indexes {
            guard let error = entry.error else { continue }
            lines.append("\(entry.index): not rebuilt: \(error). Run it again when that has ended")
        }
        if !dryRun {
            let saved = report.indexes.reduce(0) { $0 + $1.bytesBefore - ($1.bytesAfter ?? $1.bytesBefore) }
            lines.append("\(Format.bytes(max(0, saved))) given back to the disk")
        }
        return lines.joined(separator: "\n")
    }
}

/// What `millrace reindex` does, on a thread of its own.
struct Reindex: Sendable {
    let names: [String]
    /// 0 ... 1; nil: whatever they waste.
    let wasteMin: Double?
    let onlyLeftovers: Bool
    let skipWithin: Duration
    let lockTimeout: Duration
    let isDry: Bool

    /// Blocks. Throws `CommandError`, and `PostgresError` where the connection is lost.
    func run(_ connectionString: String, _ board: ReindexBoard) throws -> ReindexCommand.Report {
        let connection = try PostgresConnection(
            connectionString: connectionString, applicationName: "millrace reindex", connectTimeout: .seconds(10),
            interrupt: PostgresInterrupt())
        guard try connection.hasRelation("public.index_builds") else {
            throw CommandError("the schema is older than this command", hint: "Run `millrace migrate up`")
        }
        let rebuild = IndexRebuild(connection: connection, lockTimeout: lockTimeout)
        let unknown = try rebuild.unknown(names)
        guard unknown.isEmpty else {
            throw CommandError(
                "there is no index or table \(unknown.joined(separator: ", "))",
                hint: "Write it with its schema where that is not public")
        }
        guard try isDry || rebuild.begin() else {
            throw CommandError(
                "another session rebuilds indexes",
                hint: "Wait for it; pg_stat_progress_create_index shows how far it is",
                isRetryable: true)
        }
        var report = ReindexCommand.Report()
        if !isDry {
            report.droppedLeftovers = try rebuild.dropLeftovers()
            try rebuild.forgetGone()
        }
        guard !onlyLeftovers else { return report }
        let candidates = try rebuild.candidates(named: names, notWithin: skipWithin)
            .filter { candidate in wasteMin.map { (candidate.wastedShare ?? 0) > $0 } ?? true }
        board.begin(session: Int(connection.backendID), total: candidates.reduce(0) { $0 + $1.bytes })
        for (number, candidate) in candidates.enumerated() {
            board.next("\(candidate.index) (\(number + 1) of \(candidates.count))", bytes: candidate.bytes)
            report.indexes.append(try isDry ? Self.entry(candidate) : rebuilt(candidate, by: rebuild, connection))
        }
        return report
    }

    private static func entry(_ candidate: IndexRebuild.Candidate) -> ReindexCommand.Entry {
        ReindexCommand.Entry(
            index: candidate.index, table: candidate.table, bytesBefore: candidate.bytes,
            wastedBytes: candidate.wastedBytes)
    }

    private func rebuilt(
        _ candidate: IndexRebuild.Candidate, by rebuild: IndexRebuild, _ connection: PostgresConnection
    ) throws(PostgresError) -> ReindexCommand.Entry {
        var entry = Self.entry(candidate)
        do throws(IndexRebuild.Failure) {
            entry.bytesAfter = try rebuild.rebuild(candidate)
        } catch {
            guard connection.isUsable else { throw error.cause }
            let holders = error.holders.isEmpty ? "" : ", held by \(error.holders.joined(separator: ", "))"
            entry.error = "\(error.cause.message)\(holders)"
        }
        return entry
    }
}

/// How far a rebuild is: written by its thread, read by who shows it.
final class ReindexBoard: Sendable {
    struct State {
        /// Of the server, for the session that rebuilds.
        var session = 0
        var index = ""
        var bytes = 0
        var doneBytes = 0
        var totalBytes = 0
    }

    private let current = Mutex<State?>(State())

    /// nil once it is done.
    var state: State? { current.withLock { $0 } }

    func begin(session: Int, total: Int) {
        current.withLock { state in
            state?.session = session
            state?.totalBytes = total
        }
    }

    func next(_ index: String, bytes: Int) {
        current.withLock { state in
            guard var next = state else { return }
            next.doneBytes += next.bytes
            (next.index, next.bytes) = (index, bytes)
            state = next
        }
    }

    func finish() {
        current.withLock { $0 = nil }
    }
}
