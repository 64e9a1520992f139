internal import Histogram
internal import Synchronization

/// The text exposition format 0.0.4 of Prometheus.
package enum PrometheusText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Upper bounds of every histogram's buckets, in microseconds: 100 µs … 1 h.
    static let bucketMicroseconds: [UInt64] = [
        100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
        5_000_000, 10_000_000, 30_000_000, 60_000_000, 300_000_000, 3_600_000_000,
    ]

    static func append(_ name: String, _ family: PrometheusRegistry.Family, to text: inout String) {
        text += "# HELP \(name) \(escape(family.help, quote: false))\n# TYPE \(name) \(family.kind.rawValue)\n"
        for (_, series) in family.series.sorted(by: { $0.key < $1.key }) {
            let labels = series.labels.map { "\($0.name)=\"\(escape($0.value, quote: true))\"" }
            switch series.source {
            case .counter(let counter): text += line(name, labels, "\(counter.value)")
            case .number(let number): text += line(name, labels, format(number.value))
            case .observed(let read): text += line(name, labels, format(read()))
            case .summary(let summary):
                let (sum, count) = summary.total
                text += line(name + "_sum", labels, format(sum)) + line(name + "_count", labels, "\(count)")
            case .timer(let recorder): appendHistogram(name, labels, recorder, to: &text)
            }
        }
    }

    private static func appendHistogram(
        _ name: String, _ labels: [String], _ recorder: LatencyRecorder, to text: inout String
    ) {
        let snapshot = recorder.snapshot()
        var counts = [UInt64](repeating: 0, count: bucketMicroseconds.count)
        if let histogram = snapshot?.histogram {
            var bucket = 0
            for slot in histogram.recordedSlots() {
                while bucket < counts.count - 1, slot.values.upperBound > bucketMicroseconds[bucket] { bucket += 1 }
                counts[bucket] += slot.count
            }
        }
        var total: UInt64 = 0
        for (bound, count) in zip(bucketMicroseconds, counts) {
            total += count
            text += line(name + "_bucket", labels + ["le=\"\(format(Double(bound) / 1_000_000))\""], "\(total)")
        }
        text += line(name + "_bucket", labels + ["le=\"+Inf\""], "\(total)")
        text +=
            line(name + "_sum", labels, format(snapshot?.sumSeconds ?? 0)) + line(name + "_count", labels, "\(total)")
    }

    private static func line(_ name: String, _ labels: [String], _ value: String) -> String {
        labels.isEmpty ? "\(name) \(value)\n" : "\(name){\(labels.joined(separator: ","))} \(value)\n"
    }

    private static func format(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return "\(whole)" }
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return "\(value)"
    }

    private static func escape(_ text: String, quote: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quote: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

extension PrometheusRegistry {
    /// Every metric as text, in the order of `MetricName`, libraries' last. Takes about a millisecond; call it off the
    /// event loops.
    package func text() -> String {
        // Copied first: an observer may take its stage's lock.
        let families = families.withLock { $0 }
        let own = MetricName.allCases.map(\.rawValue)
        var text = ""
        for name in own + Set(families.keys).subtracting(own).sorted() {
            if let family = families[name] { PrometheusText.append(name, family, to: &text) }
        }
        return text
    }
}
