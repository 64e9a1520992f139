package import CoreMetrics
internal import Synchronization

/// What libraries count through swift-metrics. Their names and label values are not ours: names are made to fit, and a
/// metric has at most `seriesMax` series, since a label's value may come from a client (an HTTP method).
extension PrometheusRegistry: MetricsFactory {
    /// Series of one library's metric; what comes later is counted under the label value `other`.
    package static let seriesMax = 200

    /// A counter named after `label` with `_total`. Asking again gives the same series, as with all of these.
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        let source = foreign(label, "_total", .counter, dimensions) { .counter(MetricCounter()) }
        guard case .counter(let counter) = source else { return MetricCounter() }
        return counter
    }

    /// A counter that grows by fractions, named as `makeCounter` does.
    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        number(label, "_total", .counter, dimensions)
    }

    /// A gauge named after `label`.
    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        number(label, "", .gauge, dimensions)
    }

    /// A summary (sum and count) if it aggregates, else a gauge that shows the last value.
    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return number(label, "", .gauge, dimensions) }
        let source = foreign(label, "", .summary, dimensions) { .summary(MetricSummary()) }
        guard case .summary(let summary) = source else { return MetricSummary() }
        return summary
    }

    /// A histogram in seconds, named after `label` with `_seconds`.
    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let source = foreign(label, "_seconds", .timer, dimensions) { .timer(LatencyRecorder()) }
        guard case .timer(let timer) = source else { return LatencyRecorder() }
        return timer
    }

    /// Series stay: a library that makes one again goes on where it was.
    package func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing: the series stays.
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Does nothing: the series stays.
    package func destroyMeter(_ handler: any MeterHandler) {}
    /// Does nothing: the series stays.
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing: the series stays.
    package func destroyTimer(_ handler: any TimerHandler) {}

    private func number(
        _ label: String, _ suffix: String, _ kind: MetricDefinition.Kind, _ dimensions: [(String, String)]
    ) -> MetricNumber {
        let source = foreign(label, suffix, kind, dimensions) { .number(MetricNumber()) }
        guard case .number(let number) = source else { return MetricNumber() }
        return number
    }

    /// A series of another kind under the same name is left alone: the caller counts into nothing.
    private func foreign(
        _ label: String, _ suffix: String, _ kind: MetricDefinition.Kind, _ dimensions: [(String, String)],
        _ make: () -> MetricSeries.Source
    ) -> MetricSeries.Source {
        let name = Self.snakeCase(label).ending(in: suffix)
        var pairs = dimensions.map { (name: Self.snakeCase($0.0), value: $0.1) }
        return families.withLock { families in
            var family = families[name] ?? Family(kind: kind, help: "Of a library, there called \(label).")
            guard family.kind == kind else { return make() }
            if family.series.count >= Self.seriesMax, family.series[Self.identity(pairs)] == nil {
                pairs = pairs.map { ($0.name, "other") }
            }
            let identity = Self.identity(pairs)
            if let known = family.series[identity] { return known.source }
            let source = make()
            family.series[identity] = MetricSeries(labels: pairs, source: source)
            families[name] = family
            return source
        }
    }

    /// `http.serverRequests` as `http_server_requests`.
    static func snakeCase(_ label: String) -> String {
        var name = ""
        var isAfterCapital = true
        for scalar in label.unicodeScalars {
            let isCapital = ("A"..."Z").contains(scalar)
            switch scalar {
            case "a"..."z", "0"..."9", "A"..."Z":
                let isFirstDigit = name.isEmpty && ("0"..."9").contains(scalar)
                if isFirstDigit || (isCapital && !isAfterCapital && name.last != "_") { name += "_" }
                name += String(scalar).lowercased()
            default:
                if name.last != "_" { name += "_" }
            }
            isAfterCapital = isCapital
        }
        return name
    }
}

extension String {
    fileprivate func ending(in suffix: String) -> String {
        hasSuffix(suffix) ? self : self + suffix
    }
}
