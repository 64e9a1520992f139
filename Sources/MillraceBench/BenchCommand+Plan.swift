internal import ArgumentParser
internal import MillraceConsole
internal import MillraceEvent
internal import MillracePostgres

extension BenchCommand {
    /// `--plan`: a run flat out until the rows are in the tables, and what the wanted load would take by it. Throws
    /// `ExitCode.failure` where something is missing, so that no plan rests on half a run.
    @MainActor
    func runPlan(_ context: CommandContext, _ session: BenchSession, rate: Double) async throws {
        var session = session
        let daemon = try connection.destination(nil, or: context.httpListener())
        let database = try context.connect()
        let before = try SizingSample.take(database, daemon)
        let start = ContinuousClock.now
        try await session.run(session.outcome.plan)
        let found = try session.found() ?? 0
        // Until the last row was committed: the senders are answered before.
        let seconds = (ContinuousClock.now - start).inSeconds
        let after = try SizingSample.take(database, daemon)
        let outcome = session.outcome
        guard outcome.failure == nil, outcome.accepted == outcome.sent, found == outcome.sent, found > 0 else {
            throw CommandError(
                "the run sent \(outcome.sent) events and found \(found): no plan can rest on that",
                hint: "See `millrace status` and the daemon's log; \(outcome.failure?.description ?? "then again")")
        }
        let measure = SizingMeasure(
            from: before, to: after, rows: found, rowsPerSecond: Double(found) / max(0.001, seconds),
            lineBytes: Double(outcome.tally.sentBytes) / Double(max(1, outcome.tally.sent)),
            cores: CoresGiven.ofThisProcess().count)
        let need = SizingNeed(
            rate: rate, peak: peak ?? rate * 3, months: months, outageHours: outage,
            retainHours: context.spoolRetain.inSeconds / 3600)
        let report = SizingReport(SizingModel(measure: measure, need: need))
        if json { try Console.json(report) } else { Console.out(report.text) }
    }
}
