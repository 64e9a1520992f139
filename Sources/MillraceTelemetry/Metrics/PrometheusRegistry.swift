internal import Synchronization

/// All metrics of the process, by name and labels. Asking twice for the same series gives the same object, so callers
/// keep it rather than ask each time. Safe to call from any thread.
package final class PrometheusRegistry: Sendable {
    package typealias Labels = [MetricLabel: String]

    /// A metric and its series.
    struct Family: Sendable {
        var kind: MetricDefinition.Kind
        var help: String
        /// By the labels' text.
        var series: [String: MetricSeries] = [:]
    }

    /// By the metric's name.
    let families = Mutex<[String: Family]>([:])

    package init() {}

    /// For a counter. Its labels must be the definition's.
    package func counter(_ name: MetricName, _ labels: Labels = [:]) -> MetricCounter {
        let source = series(name, .counter, labels) { .counter(MetricCounter()) }
        guard case .counter(let counter) = source else { preconditionFailure("\(name) is observed, not counted") }
        return counter
    }

    /// For a gauge. Its labels must be the definition's.
    package func gauge(_ name: MetricName, _ labels: Labels = [:]) -> MetricNumber {
        let source = series(name, .gauge, labels) { .number(MetricNumber()) }
        guard case .number(let gauge) = source else { preconditionFailure("\(name) is observed, not set") }
        return gauge
    }

    /// For durations. Its labels must be the definition's.
    package func timer(_ name: MetricName, _ labels: Labels = [:]) -> LatencyRecorder {
        let source = series(name, .timer, labels) { .timer(LatencyRecorder()) }
        guard case .timer(let timer) = source else { preconditionFailure("\(name) is no timer") }
        return timer
    }

    /// For values without a unit of time. Its labels must be the definition's.
    package func summary(_ name: MetricName, _ labels: Labels = [:]) -> MetricSummary {
        let source = series(name, .summary, labels) { .summary(MetricSummary()) }
        guard case .summary(let summary) = source else { preconditionFailure("\(name) is no summary") }
        return summary
    }

    /// For a counter or gauge that a stage keeps itself as a number. The last one of a series counts.
    package func expose(_ number: MetricCounter, as name: MetricName, _ labels: Labels = [:]) {
        set(.counter(number), name, labels)
    }

    /// For a counter or gauge that a stage can tell: `read` is called at each reading, on the reader's thread. It must
    /// not block, nor call the registry. The last observer of a series counts.
    package func observe(_ name: MetricName, _ labels: Labels = [:], _ read: @escaping @Sendable () -> Double) {
        set(.observed(read), name, labels)
    }

    /// What was recorded since the start, of every timer of ours in which something was: its stage, its histogram.
    package func latencies() -> [(stage: String, histogram: LatencyHistogram)] {
        let families = families.withLock { $0 }
        return MetricName.stages.flatMap { name in
            (families[name.rawValue]?.series ?? [:]).sorted { $0.key < $1.key }.compactMap { _, series in
                guard case .timer(let recorder) = series.source, let stage = name.stage,
                    let histogram = recorder.snapshot()?.histogram
                else { return nil }
                return (([stage] + series.labels.map(\.value)).joined(separator: ":"), histogram)
            }
        }
    }

    private func set(_ source: MetricSeries.Source, _ name: MetricName, _ labels: Labels) {
        let kind = name.definition.kind
        precondition(kind == .counter || kind == .gauge, "\(name.rawValue) is recorded, not observed")
        let pairs = Self.pairs(name, labels)
        families.withLock { families in
            families[name.rawValue, default: Self.family(name)].series[Self.identity(pairs)] =
                MetricSeries(labels: pairs, source: source)
        }
    }

    private func series(
        _ name: MetricName, _ kind: MetricDefinition.Kind, _ labels: Labels, _ make: () -> MetricSeries.Source
    ) -> MetricSeries.Source {
        precondition(name.definition.kind == kind, "\(name.rawValue) is a \(name.definition.kind)")
        let pairs = Self.pairs(name, labels)
        return families.withLock { families in
            let identity = Self.identity(pairs)
            if let known = families[name.rawValue]?.series[identity] { return known.source }
            let source = make()
            families[name.rawValue, default: Self.family(name)].series[identity] =
                MetricSeries(labels: pairs, source: source)
            return source
        }
    }

    private static func family(_ name: MetricName) -> Family {
        Family(kind: name.definition.kind, help: name.definition.help)
    }

    private static func pairs(_ name: MetricName, _ labels: Labels) -> [(name: String, value: String)] {
        let wanted = name.definition.labels
        precondition(Set(wanted) == Set(labels.keys), "\(name.rawValue) has the labels \(wanted.map(\.rawValue))")
        return wanted.map { ($0.rawValue, labels[$0] ?? "") }
    }

    /// Tells series of a metric apart, and orders them.
    static func identity(_ labels: [(name: String, value: String)]) -> String {
        labels.map { "\($0.name)=\($0.value)" }.joined(separator: "\u{0}")
    }
}

/// One time series: what it is called and where its number is.
struct MetricSeries: Sendable {
    enum Source: Sendable {
        case counter(MetricCounter)
        case number(MetricNumber)
        case timer(LatencyRecorder)
        case summary(MetricSummary)
        /// Asked for at each reading.
        case observed(@Sendable () -> Double)
    }

    /// In the text's order.
    let labels: [(name: String, value: String)]
    let source: Source
}
