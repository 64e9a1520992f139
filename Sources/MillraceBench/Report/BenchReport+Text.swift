internal import MillraceConsole
internal import MillraceTelemetry

extension BenchReport {
    /// For people. `latencies`: the rows of the table.
    func text(_ latencies: [LatencySummary]) -> String {
        var lines = [heading, measured]
        if refused + errors + unacknowledged + overdue > 0 {
            lines.append(
                "\(Format.count(refused)) refused, \(Format.count(errors)) answered by an error, "
                    + "\(Format.count(unacknowledged)) not acknowledged, \(Format.count(overdue)) due and never sent")
        }
        if let findMax {
            lines.append("")
            lines.append(findMax.text)
        }
        lines.append("")
        lines.append(PercentileTable.text(latencies, title: "latency"))
        if let found = tables.found {
            lines.append("tables: \(Format.count(found)) of \(Format.count(tables.sent)) events sent are there")
        } else {
            lines.append("tables: not looked at")
        }
        return lines.joined(separator: "\n")
    }

    private var heading: String {
        let pace = targetRate.map { "open loop at \(Format.count(Int($0))) events/s" } ?? "closed loop, flat out"
        let unit = wire == .http ? ", \(batch) a request" : ""
        return "\(wire.rawValue), acks \(ack), \(pace), \(connections) connections\(unit)"
    }

    private var measured: String {
        let rate = "\(Format.count(Int(eventsPerSecond.rounded()))) events/s"
        let volume = seconds > 0 ? "\(Format.bytes(Int(Double(bytes) / seconds)))/s" : "0 B/s"
        let cpu = "generator \(Format.duration(.seconds(generatorCPUSeconds))) CPU"
        return "\(Format.count(events)) events in \(Format.duration(.seconds(seconds))): \(rate), \(volume); \(cpu)"
    }
}

extension BenchReport.FindMax {
    fileprivate var text: String {
        let rows = steps.map { step in
            [
                Format.count(Int(step.rate)), Format.count(Int(step.sentRate)),
                Format.milliseconds(step.p99Us), step.held ? "held" : "failed",
            ]
        }
        let result =
            highestRate > 0
            ? "highest rate with a p99 of \(Format.decimal(p99Ms)) ms: \(Format.count(Int(highestRate))) events/s"
            : "no rate held a p99 of \(Format.decimal(p99Ms)) ms"
        return Format.table([["rate", "sent/s", "p99 ms", ""]] + rows) + "\n" + result
    }
}

extension BenchReport {
    /// What keeps this run from being a success, each with the next step.
    func problems(_ outcome: BenchOutcome) -> [String] {
        var problems: [String] = []
        if let failure = outcome.failure { problems.append(failure.description) }
        if refused > 0 {
            problems.append(
                "\(Format.count(refused)) events were refused: \(outcome.complaints.joined(separator: "; ")). "
                    + "Correct the events, or limits and partitions in the daemon's configuration")
        }
        if errors > 0 {
            problems.append(
                "\(Format.count(errors)) events were answered by an error: "
                    + "\(outcome.complaints.joined(separator: "; ")). See `millrace status` and the daemon's log")
        }
        if unacknowledged > 0 {
            problems.append(
                "\(Format.count(unacknowledged)) events were not acknowledged: whether they are kept is not known. "
                    + "See the daemon's log")
        }
        if let found = tables.found, found < outcome.accepted {
            problems.append(
                "\(Format.count(outcome.accepted - found)) acknowledged events are not in the tables. Check that "
                    + "database.url names the daemon's database, that its backlog is written (`millrace status`; "
                    + "--verify-limit waits longer), then `millrace verify` and `millrace dead-letters list`")
        }
        if let findMax, findMax.highestRate == 0 {
            problems.append(
                "no rate held a p99 of \(Format.decimal(findMax.p99Ms)) ms. Give a higher --p99, a lower first --rate, "
                    + "or see what keeps the daemon busy")
        }
        return problems
    }

    /// What is no failure, and yet changes what the figures mean.
    func notes(_ outcome: BenchOutcome) -> [String] {
        var notes: [String] = []
        if overdue > 0, findMax == nil, let targetRate {
            notes.append(
                "\(Format.count(Int(targetRate))) events/s were not reached: \(Format.count(overdue)) events were due and "
                    + "never sent. The latencies are those of a daemon that falls behind; lower --rate, or search with "
                    + "--find-max")
        }
        let wall = Double(outcome.plan.warmupNanoseconds) / 1e9 + seconds
        if findMax == nil, generatorCPUSeconds > wall * 0.8 {
            notes.append(
                "the generator itself was busy for \(Int(generatorCPUSeconds / max(0.001, wall) * 100)) % of the time: "
                    + "it may be the limit; use a larger --batch or a processor of its own")
        }
        return notes
    }
}
