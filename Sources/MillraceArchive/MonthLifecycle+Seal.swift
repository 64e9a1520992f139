internal import MillraceEvent
internal import MillraceJSON
internal import MillracePostgres

/// Before a month is shut, what was acknowledged for it goes in.
extension MonthLifecycle {
    /// Who does not answer is asked for so long: a daemon that starts again, or lost the database, needs a moment.
    private static let awayPatience = Duration.seconds(5)

    func shut(_ record: inout MonthRecord) throws {
        progress(MonthProgress(step: .sealing))
        let passedOver = try waitForSpools(of: record)
        var shut = record
        shut.state = .detaching
        shut.error = nil
        try connection.transaction { () throws(PostgresError) in
            try write(shut, nil)
            guard !passedOver.isEmpty else { return }
            try AuditLog.record(
                .partitionRetire, record.relation,
                after: .object([
                    ("state", .string(shut.state.rawValue)),
                    ("without_spools", .array(passedOver.map { .string("\($0.row.spoolID)") })),
                ]), on: connection)
        }
        record = shut
    }

    /// Until each daemon has put in what it had acknowledged when this began. Returns those that are passed over. Throws
    /// `month_waiting` where that takes longer than `seal_wait`, or nobody is there who could do it.
    private func waitForSpools(of record: MonthRecord) throws -> [DaemonStanding] {
        let table = DaemonTable(connection: connection)
        var drain = SpoolDrain(without: passedSpools)
        let end = ContinuousClock.now + options.sealWait
        let patience = ContinuousClock.now + min(Self.awayPatience, options.sealWait)
        var backoff = Backoff(min: .milliseconds(50), max: .milliseconds(500))
        try table.ask()
        while true {
            let standings = try table.all()
            let holders = drain.holders(standings)
            guard let first = holders.first(where: { !$0.hasSession }) ?? holders.first else {
                return drain.passedOver(standings)
            }
            let now = ContinuousClock.now
            guard now < (holders.contains(where: \.hasSession) ? end : patience) else {
                throw Self.waiting(record, for: holders)
            }
            progress(MonthProgress(step: .sealing, detail: "waits for \(first.holding)"))
            // What they told is old by then.
            if holders.allSatisfy({ !$0.hasSession || !$0.isAsked }) { try table.ask() }
            try connection.interrupt.pause(for: backoff.next())
        }
    }

    private static func waiting(_ record: MonthRecord, for holders: [DaemonStanding]) -> ArchiveError {
        let spool = (holders.first { !$0.hasSession } ?? holders[0]).row.spoolID
        let hint =
            holders.contains { !$0.hasSession }
            ? """
            Start who is away, then run this again. Gone for good: `millrace status --forget \(spool)`. To go on all the same, \
            `millrace partitions retire \(record.month.label) --without-spool \(spool)`: its rows of the month become dead \
            letters (month_retired).
            """
            : "Run this again: `millrace status --all` shows how far they are; partitions.seal_wait is how long it waits."
        return ArchiveError(
            .monthWaiting,
            "rows of \(record.month.label) may be in spools: \(holders.map(\.holding).joined(separator: "; "))",
            hint: hint)
    }
}
