internal import Glibc
internal import MillraceArchive
internal import MillraceConfiguration
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceSpool
internal import MillraceWriter

/// Months that leave their tables: whether the policy and the archive's directory fit, and how far each is.
struct RetirementChecks {
    let configuration: DaemonConfiguration
    let connection: PostgresConnection

    func run() throws(PostgresError) -> [CheckResult] {
        let records = try MonthTable.all(connection)
        return [policy(), directory(records), months(records)].compactMap(\.self)
    }

    /// nil where nothing is retired by itself.
    private func policy() -> CheckResult? {
        let policy = configuration.retention
        guard !policy.ages.isEmpty else { return nil }
        let name = "partitions.retain"
        let late = policy.ages.filter { $0.value < configuration.partitions.acceptPast }.keys.map(\.rawValue).sorted()
        guard !late.isEmpty else {
            return CheckResult(name, ok: true, detail: configuration.partitions.retain, fix: "")
        }
        return .warning(
            name,
            detail:
                "\(configuration.partitions.retain): months of \(late.joined(separator: ", ")) are retired while their "
                + "events are accepted still (partitions.accept_past), which then are dead letters",
            fix: "Keep months for longer, or lower partitions.accept_past.")
    }

    /// nil where nothing is archived.
    private func directory(_ records: [MonthRecord]) -> CheckResult? {
        let isWanted = !configuration.retention.ages.isEmpty && configuration.partitions.retirement == .archive
        guard isWanted || records.contains(where: { $0.manifestSHA256 != nil }) else { return nil }
        let directory = configuration.resolvedArchive.directory
        let existing = DirectoryChecks.nearestExisting(directory)
        let free = (try? PosixFileSystem().freeBytes(at: existing)) ?? 0
        return CheckResult(
            "archive directory", ok: access(existing, W_OK | X_OK) == 0,
            detail: existing == directory
                ? "\(directory), \(Format.bytes(free)) free"
                : "\(directory) will be made under \(existing), \(Format.bytes(free)) free",
            fix: "Give \(existing) to the user who runs the daemon, or set archive.directory.")
    }

    private func months(_ records: [MonthRecord]) -> CheckResult? {
        guard !records.isEmpty else { return nil }
        let unfinished = records.filter { !$0.isAtGoal && $0.state != .live }
        let counts = MonthState.allCases.compactMap { state -> String? in
            let count = records.count { $0.state == state }
            return count > 0 && state != .live ? "\(count) \(state.rawValue)" : nil
        }
        guard let first = unfinished.first else {
            return CheckResult(
                "retired months", ok: true, detail: counts.isEmpty ? "none" : counts.joined(separator: ", "), fix: "")
        }
        return .warning(
            "retired months",
            detail: counts.joined(separator: ", ") + "; "
                + unfinished.map { record in
                    "\(record.relation) is \(record.state.rawValue)" + (record.error.map { " (\($0))" } ?? "")
                }.joined(separator: "; "),
            fix:
                "Unless a command or a daemon is at it: millrace partitions \(first.goal.command) \(first.month.label) "
                + "--table \(first.table.rawValue)")
    }
}
