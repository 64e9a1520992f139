internal import MillraceConsole
internal import MillraceTelemetry

/// What `millrace top` shows: lines of text that fit into so many columns and rows. A value; the shell draws it.
struct TopScreen {
    struct Line: Equatable {
        enum Style: Equatable {
            case plain, title
            /// Something is wrong.
            case alarm
        }

        var text: String
        var style = Style.plain
    }

    /// Of the longest stage's name.
    private static let stageColumns = 22
    /// Refusals and senders at least, where there are that many, before stages of the latency go.
    private static let listRowsMin = 4

    let tick: TopTick
    /// Where the daemon is.
    let source: String
    /// Why no tick comes any more; nil while they do.
    var trouble: String?
    /// At least 40.
    let columns: Int
    /// Nil: as many as there is to say.
    let rows: Int?

    var lines: [Line] {
        var lines = [title, state] + flow + [Line(text: "")] + places + [Line(text: "")]
        let left = (rows ?? .max) - lines.count
        let latency = self.latency
        let lists = self.lists
        let listRows = min(lists.count, max(Self.listRowsMin + 1, left - latency.count - 1))
        let latencyRows = rows == nil ? latency.count : max(0, left - listRows - 1)
        lines += latency.prefix(latencyRows)
        if !lists.isEmpty { lines += [Line(text: "")] + lists.prefix(rows == nil ? lists.count : listRows) }
        return lines.prefix(rows ?? .max).map { Line(text: TopText.cut($0.text, to: columns), style: $0.style) }
    }

    // MARK: Sections

    private var title: Line {
        let whose = tick.scope == "tenant" ? "  tenant \(tick.tenant) only" : ""
        return Line(
            text:
                "millrace \(tick.version)  \(source)  up \(Format.duration(.seconds(tick.uptime)))  \(tick.time)\(whose)",
            style: .title)
    }

    private var state: Line {
        if let trouble { return Line(text: "no answer: \(trouble)", style: .alarm) }
        let readiness = tick.readiness
        if !readiness.writing {
            let since = readiness.since.map { " since \($0)" } ?? ""
            return Line(text: "nothing is written\(since): \(readiness.reason ?? "no reason known")", style: .alarm)
        }
        if let reason = readiness.reasons.first { return Line(text: "not ready: \(reason.message)", style: .alarm) }
        if let note = readiness.notes.first { return Line(text: note.message, style: .alarm) }
        return Line(text: tick.database.up ? "ready; what comes is written" : "PostgreSQL is away")
    }

    private var flow: [Line] {
        let rates = tick.rates
        func rate(_ value: Double?) -> String { TopText.rate(value) }
        let bytes = rates?.bytesReceived.map { Format.bytes(Int($0)) + "/s" } ?? "-"
        let (lines, law) = (tick.lines, tick.conservation)
        func count(_ value: Int?) -> String { value.map { Format.count($0) } ?? "-" }
        let sum =
            "\(count(law.inAndRecovered)) = \(count(law.committed)) + \(count(law.duplicates)) dup + \(count(law.dead)) dead"
            + " + \(count(law.refused)) refused + \(count(law.inSpool)) in spool"
        let verdict = law.holds ? "holds" : "broken by \(Format.count(law.difference)) lines"
        return [
            Line(
                text: "in      \(rate(rates?.received)) lines/s  \(bytes)  accepted \(rate(rates?.accepted))  refused "
                    + "\(rate(rates?.refused))  sampled out \(rate(rates?.sampledOut))"),
            Line(
                text: "out     \(rate(rates?.committed)) rows/s  \(rate(rates?.batches)) batches/s  duplicate "
                    + "\(rate(rates?.duplicates))  dead \(rate(rates?.dead))  parked \(rate(rates?.parked))"),
            Line(
                text: "total   \(count(lines.accepted)) accepted  \(count(lines.committed)) committed  "
                    + "\(count(lines.dead)) dead  \(count(lines.refused)) refused"),
            Line(
                text: "law     \(verdict)\(law.inAndRecovered == nil ? "" : ": \(sum)")",
                style: law.holds ? .plain : .alarm),
        ]
    }

    private var places: [Line] {
        let spool = tick.spool
        let share = Double(spool.bytes) / Double(max(1, spool.capacityBytes))
        let refusing = spool.refusing.map { "  takes nothing: \($0)" } ?? ""
        let connections = (tick.connections ?? []).map {
            "\($0.transport) \(Format.count($0.open))/\(Format.count($0.max))"
        }
        let writers = tick.writers.map { writer in
            let lines = writer.lines > 0 ? " \(Format.count(writer.lines)) lines" : ""
            return "\(writer.index) \(writer.state)\(lines) \(Format.duration(.seconds(writer.seconds)))"
        }
        return [
            Line(
                text:
                    "spool   \(Format.bar(share))  \(Format.bytes(spool.bytes)) of \(Format.size(spool.capacityBytes))\(refusing)",
                style: spool.refusing == nil && share < 0.9 ? .plain : .alarm),
            Line(
                text: "        \(Format.count(spool.uncommittedLines)) lines not committed, the oldest for "
                    + "\(Format.duration(.seconds(spool.oldestUncommittedSeconds)))"
                    + (tick.database.stuckBatches > 0
                        ? "; \(Format.count(tick.database.stuckBatches)) batches set aside" : "")),
            Line(text: "writers \(writers.joined(separator: "   "))"),
            Line(
                text:
                    "months  \(tick.months.ahead) ahead   connections \(connections.joined(separator: "  "))   streams "
                    + "\(tick.streams.tails) tail, \(tick.streams.watchers) live",
                style: tick.months.ahead < 1 ? .alarm : .plain),
        ]
    }

    private var latency: [Line] {
        guard !tick.latency.isEmpty else { return [] }
        let names = ["p50", "p90", "p99", "p99.9", "max"]
        let head = TopText.left("latency, ms", Self.stageColumns) + names.map { TopText.right($0, 11) }.joined()
        return [Line(text: head)]
            + tick.latency.map { stage in
                let summary = stage.interval
                let values = summary.map { [$0.p50, $0.p90, $0.p99, $0.p999, $0.max] }
                let cells = values?.map { Format.milliseconds($0) } ?? Array(repeating: "-", count: names.count)
                return Line(
                    text: TopText.left(stage.stage, Self.stageColumns) + cells.map { TopText.right($0, 11) }.joined())
            }
    }

    /// Refusals on the left, senders on the right.
    private var lists: [Line] {
        let half = columns / 2
        let refusals = (tick.refusals ?? []).map { ($0.code, $0.total, $0.rate) }
        let senders = tick.senders.items.map { item in
            (item.name ?? item.key ?? item.tenant.map { "tenant \($0)" } ?? "other tenants", item.lines, item.rate)
        }
        let left = Self.list("refused", refusals, columns: half - 2)
        let right = Self.list("by \(tick.senders.by)", senders, columns: columns - half)
        return (0..<max(left.count, right.count)).map { row in
            let first = TopText.left(row < left.count ? left[row] : "", half)
            return Line(text: row < right.count ? first + right[row] : first)
        }
    }

    private static func list(
        _ title: String, _ items: [(name: String, total: Int, rate: Double?)], columns: Int
    ) -> [String] {
        let nameColumns = max(8, columns - 19)
        let head = TopText.left(title, nameColumns) + TopText.right("total", 11) + TopText.right("/s", 8)
        return [head]
            + items.map { item in
                TopText.left(item.name, nameColumns) + TopText.right(Format.count(item.total), 11)
                    + TopText.right(TopText.rate(item.rate), 8)
            }
    }
}
