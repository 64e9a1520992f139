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
