/// What a daemon answered at `/metrics`.
package struct ScrapedMetrics {
    private let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// The value of a metric without labels; nil where the text has none.
    package func value(_ metric: MetricName) -> Double? {
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(metric.rawValue + " ") }
        return line?.split(separator: " ").last.flatMap { Double($0) }
    }
}
