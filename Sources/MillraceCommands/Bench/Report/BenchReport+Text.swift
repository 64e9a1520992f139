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

extension Format {
    /// `12.345` of 12345 microseconds.
    static func milliseconds(_ microseconds: UInt64) -> String {
        let rest = String(microseconds % 1000)
        return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
    }
}
