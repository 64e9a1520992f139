internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres
internal import MillraceProjections

/// Runs the audit and makes its report.
///
/// The order makes it true while the daemon runs: **the spool first, then the ledger and the tables**, the latter in one
/// REPEATABLE READ transaction, so that they show one moment. A segment is deleted only when all of it is in the
/// ledger, and a sequence never leaves the ledger. So what the first look did not find in the spool any more, the second
/// one must find in the ledger, and what the second one does not find there, the first one must have found in the
/// spool. The other way round, a batch committed and retired between the two looks would be reported as lost.
struct Verification {
    let connection: PostgresConnection
    /// Taken before the audit; nil when there is no spool on this host.
    let snapshot: SpoolSnapshot?
    /// The server's clock before that.
    let begunAt: String?
    /// For one statement.
    let timeout: Duration
    /// Only batches made since then are looked at; nil: all.
    let since: Timestamp?
    /// Whether ids at more than one time are counted: reads every id there is.
    let countsRepeatedIDs: Bool

    /// `progress` is told what is being read. Throws what the database answers.
    func run(_ progress: (String) -> Void) throws(PostgresError) -> VerifyReport {
        let lock = ProjectionsLock(connection: connection)
        try lock.beginStill()
        do throws(PostgresError) {
            let report = try audit(progress)
            try connection.commit(timeout: timeout)
            return report
        } catch {
            lock.rollBack()
            throw error
        }
    }

    private func audit(_ progress: (String) -> Void) throws(PostgresError) -> VerifyReport {
        let audit = try LedgerAudit(connection: connection, timeout: timeout, since: since)
        var report = VerifyReport()
        progress("ledger")
        report.checks.append(try audit.overlaps())
        report.checks.append(try audit.sums())
        try account(audit, &report)
        report.checks.append(
            try audit.rows { partition, index, count in progress("\(partition) (\(index + 1) of \(count))") })
        progress("dead letters")
        report.checks.append(try audit.deadLetters())
        report.checks.append(try audit.damages())
        try note(audit, &report, progress)
        return report
    }

    private func account(_ audit: LedgerAudit, _ report: inout VerifyReport) throws(PostgresError) {
        var kinds = Dictionary(
            uniqueKeysWithValues: RecordKind.allCases.map { ($0, VerifyReport.Kind(kind: "\($0)")) })
        var spoolIDs = try audit.spoolIDs()
        if let snapshot, !spoolIDs.contains(snapshot.spoolID) { spoolIDs.append(snapshot.spoolID) }
        for spoolID in spoolIDs {
            let local = snapshot?.spoolID == spoolID ? snapshot : nil
            let first = try audit.firstSequence(of: spoolID)
            // After the end of an older copy of the spool come batches of the one that was in its place: committed before
            // the snapshot, as no line is that came after it.
            let totals = try audit.totals(
                of: spoolID, from: first, before: local?.endSequence, orCommittedBefore: begunAt)
            let account = SpoolAccount(
                snapshot: local, totals: totals, holes: try audit.holes(of: spoolID, from: first),
                runStarts: try audit.runStarts(of: spoolID), from: first ?? SpoolAccount.firstSequence)
            kinds[.event]?.add(totals.rows.events, totals.duplicates.events, totals.dead.events)
            kinds[.conversation]?.add(
                totals.rows.conversations, totals.duplicates.conversations, totals.dead.conversations)
            kinds[.refused]?.refused += totals.refused
            report.spools.append(
                SpoolSummary(
                    spoolId: "\(spoolID)", batches: totals.batches, firstSequence: totals.firstSequence,
                    lastSequence: max(totals.endSequence, 1) - 1, holes: Int(account.holes.count),
                    isLocal: local != nil))
            guard let local else {
                if let host = try audit.seedHost(of: spoolID) {
                    report.notes.append("spool \(spoolID) is the \(host), which `millrace migrate seed` has put in")
                } else {
                    report.notes.append(Self.remote(spoolID, account))
                }
                continue
            }
            for (kind, count) in account.inSpool { kinds[kind]?.inSpool += count }
            report.checks.append(Self.check(account, local))
        }
        if snapshot == nil { report.notes.append("there is no spool on this host: ledger and tables only") }
        let rows = RecordKind.allCases.compactMap { kinds[$0] }
        report.conservation = rows + [rows.reduce(into: VerifyReport.Kind(kind: "total")) { $0.add($1) }]
    }

    private func note(
        _ audit: LedgerAudit, _ report: inout VerifyReport, _ progress: (String) -> Void
    ) throws(PostgresError) {
        if let leftOut = try audit.leftOut() {
            report.notes.append(leftOut)
            report.isPartial = true
        }
        let damages = try audit.acknowledgedDamages()
        if damages > 0 {
            report.notes.append(
                "\(damages) damaged places of a spool count as dead; their loss was acknowledged by a purge")
        }
        guard countsRepeatedIDs, since == nil else { return }
        progress("ids")
        let repeated = try audit.repeatedIDs()
        guard repeated > 0 else { return }
        report.notes.append(
            "\(Format.count(repeated)) event ids stand at more than one created_at: distinct rows, since an event is "
                + "named by both")
    }

    private static func check(_ account: SpoolAccount, _ snapshot: SpoolSnapshot) -> CheckResult {
        let lost = account.lost
        let ranges = lost.ranges.prefix(LedgerAudit.examplesMax).map { "\($0.lowerBound)…\($0.upperBound - 1)" }
        let waiting = account.inSpool.values.reduce(0, +)
        return CheckResult(
            "every sequence is in the ledger or in the spool",
            ok: lost.isEmpty,
            detail: lost.isEmpty
                ? "spool \(snapshot.spoolID): up to \(max(snapshot.endSequence, 1) - 1), \(Format.count(waiting)) in spool"
                : "spool \(snapshot.spoolID): \(Format.count(Int(lost.count))) sequences are LOST: "
                    + ranges.joined(separator: ", ") + (lost.ranges.count > ranges.count ? ", …" : ""),
            fix: "See the daemon's log for damage, restore the spool's segments or the database from a backup; after "
                + "`millrace migrate reset` the sequences before it are expected here.")
    }

    private static func remote(_ spoolID: UniqueID, _ account: SpoolAccount) -> String {
        let count = Int(account.holes.count)
        let what =
            count == 0 ? "its ledger has no holes" : "\(Format.count(count)) of its sequences are not in the ledger yet"
        return "spool \(spoolID) is not on this host: \(what); run verify there for the rest"
    }
}

extension VerifyReport.Kind {
    fileprivate mutating func add(_ committed: Int, _ duplicate: Int, _ dead: Int) {
        self.committed += committed
        self.duplicate += duplicate
        self.dead += dead
    }

    fileprivate mutating func add(_ other: VerifyReport.Kind) {
        add(other.committed, other.duplicate, other.dead)
        refused += other.refused
        inSpool += other.inSpool
    }
}
