package import MillraceJSON
package import MillraceTelemetry

/// How long one stage takes.
package struct LiveLatency: JSONShape, Equatable {
    /// As `/debug/latency` names it.
    package var stage: String
    /// Nil: nothing was recorded in it.
    package var interval: Summary?
    /// Since the daemon's start.
    package var total: Summary

    package init(stage: String, interval: Summary?, total: Summary) {
        self.stage = stage
        self.interval = interval
        self.total = total
    }

    package static let fields: [JSONField<Self>] = [
        JSONField("stage", \.stage), JSONField("interval", \.interval), JSONField("total", \.total),
    ]

    /// Times are in microseconds.
    package struct Summary: JSONShape, Equatable {
        private let summary: LatencySummary

        package init(_ summary: LatencySummary) {
            self.summary = summary
        }

        package static let fields: [JSONField<Self>] = [
            JSONField("count", { Int($0.summary.count) }), JSONField("min_us", { Int($0.summary.min) }),
            JSONField("mean_us", \.summary.mean), JSONField("p50_us", { Int($0.summary.p50) }),
            JSONField("p75_us", { Int($0.summary.p75) }), JSONField("p90_us", { Int($0.summary.p90) }),
            JSONField("p99_us", { Int($0.summary.p99) }), JSONField("p99.9_us", { Int($0.summary.p999) }),
            JSONField("p99.99_us", { Int($0.summary.p9999) }), JSONField("max_us", { Int($0.summary.max) }),
        ]
    }
}
