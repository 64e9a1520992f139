/// What is to be carried.
struct SizingNeed: Encodable, Equatable {
    /// Events a second, over a whole month.
    var rate: Double
    /// Events a second, in the busiest minutes.
    var peak: Double
    /// Whole months that stay in PostgreSQL, beside the one that is being written.
    var months: Int
    /// How long PostgreSQL may be away.
    var outageHours: Double
    /// `spool.retain`, in hours.
    var retainHours: Double
}

/// From what a run cost to what a load will: the formulas of the guide to sizes.
struct SizingModel {
    /// Where a figure comes from.
    enum Basis: String, Encodable, Equatable {
        /// As it was in the run.
        case measured
        /// The run's figure times a number: nobody has seen that load on that hardware.
        case extrapolated
    }

    struct Line: Encodable, Equatable {
        /// What is needed.
        var name: String
        var value: Double
        /// `processors`, `bytes`, `daemons`, `servers`, `percent`.
        var unit: String
        var basis: Basis
        var formula: String
    }

    /// The share of what was measured flat out that is planned with: the rest is for peaks within a minute, vacuum,
    /// readers, and a neighbour's noise.
    static let share = 0.7
    static let secondsPerMonth = 30.44 * 86_400

    let measure: SizingMeasure
    let need: SizingNeed

    var lines: [Line] {
        let capacity = max(1, measure.rowsPerSecond * Self.share)
        let machines = need.peak / capacity
        let daemonCores = need.peak * measure.daemonSecondsPerMillion / 1e6
        let monthRows = need.rate * Self.secondsPerMonth
        let rowBytes = measure.tableBytes + measure.indexBytes
        let spoolHours = max(need.outageHours, need.retainHours)
        let peakBasis: Basis = machines <= 1 ? .measured : .extrapolated
        var lines = [
            Line(
                name: "load of a machine like this at the peak", value: machines * 100, unit: "percent",
                basis: peakBasis, formula: "peak / (\(Self.percent) % of the rows/s measured)"),
            Line(
                name: "processors in all", value: max(1, (machines * Double(measure.cores)).rounded(.up)),
                unit: "processors", basis: peakBasis,
                formula: "load x processors of this machine, sender and PostgreSQL among them"),
            Line(
                name: "of these, the daemon", value: daemonCores, unit: "processors", basis: peakBasis,
                formula: "peak x processor seconds an event"),
            Line(
                name: "daemons", value: max(1, (daemonCores / (Double(measure.cores) * Self.share)).rounded(.up)),
                unit: "daemons", basis: daemonCores <= Double(measure.cores) ? peakBasis : .extrapolated,
                formula: "the daemon's processors / \(Self.percent) % of this machine's, one more to survive a host"),
            Line(
                name: "PostgreSQL servers", value: max(1, machines.rounded(.up)), unit: "servers", basis: peakBasis,
                formula: "load, rounded up; more than one wants Citus, whose cost was not measured here"),
            Line(
                name: "memory of a daemon", value: Double(measure.daemonMemoryBytes), unit: "bytes", basis: .measured,
                formula: "resident after the run; memory.budget bounds what clients may add"),
            Line(
                name: "memory of PostgreSQL, at least", value: monthRows * measure.indexBytes * 1.25, unit: "bytes",
                basis: .extrapolated, formula: "a month's rows x bytes of index, and a quarter: its indexes stay cached"
            ),
            Line(
                name: "disk for events", value: monthRows * rowBytes * Double(need.months + 1), unit: "bytes",
                basis: .extrapolated, formula: "a month's rows x bytes of table and index x (months + 1)"),
            Line(
                name: "disk for the rest", value: monthRows * measure.otherBytes * Double(need.months + 1),
                unit: "bytes", basis: .extrapolated,
                formula: "likewise; an upper bound, since projections grow with keys, not with events"),
            Line(
                name: "disk for the spool", value: need.peak * measure.lineBytes * spoolHours * 3600, unit: "bytes",
                basis: .extrapolated,
                formula: "peak x bytes of a line x \(Self.hours(spoolHours)) h, the longer of --outage and spool.retain"
            ),
        ]
        if let walBytes = measure.walBytes {
            lines.append(
                Line(
                    name: "write-ahead log a day", value: need.rate * walBytes * 86_400, unit: "bytes",
                    basis: .extrapolated,
                    formula: "a day's rows x bytes of log; a slow stream writes more for each, flushing more often"))
        }
        return lines
    }

    private static var percent: Int { Int(share * 100) }

    private static func hours(_ value: Double) -> String {
        value == value.rounded() ? String(Int(value)) : String(value)
    }
}
