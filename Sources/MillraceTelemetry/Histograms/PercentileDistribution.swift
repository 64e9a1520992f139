internal import Histogram

/// HdrHistogram's percentile output (`.hgrm`), which its plotter draws:
/// https://hdrhistogram.github.io/HdrHistogram/plotFiles.html. One distribution a file; values in milliseconds.
package enum PercentileDistribution {
    /// Steps in each halving of the distance to 100 %.
    private static let ticksPerHalfDistance = 5

    /// The whole file. Written here and not by the package, whose text cuts counts to 32 bits.
    package static func text(_ histogram: LatencyHistogram) -> String {
        var text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
        for step in histogram.percentiles(ticksPerHalfDistance: ticksPerHalfDistance) {
            let level = step.percentileLevelIteratedTo / 100
            text += milliseconds(Double(step.value)) + " " + FixedPoint.text(level, decimals: 12)
            text += " " + FixedPoint.pad("\(step.totalCountToThisValue)", to: 10)
            if level < 1 { text += " " + FixedPoint.text(1 / (1 - level), decimals: 2, width: 14) }
            text += "\n"
        }
        let layout = HistogramLayout(histogram)
        let mean = milliseconds(histogram.mean)
        let deviation = milliseconds(histogram.stdDeviation)
        text += "#[Mean    = \(mean), StdDeviation   = \(deviation)]\n"
        text += "#[Max     = \(milliseconds(Double(histogram.max))), "
        text += "Total count    = \(FixedPoint.pad("\(histogram.totalCount)", to: 12))]\n"
        text += "#[Buckets = \(FixedPoint.pad("\(layout.bucketCount)", to: 12)), "
        text += "SubBuckets     = \(FixedPoint.pad("\(layout.subBucketCount)", to: 12))]\n"
        return text
    }

    private static func milliseconds(_ microseconds: Double) -> String {
        FixedPoint.text(microseconds / 1000, decimals: 3, width: 12)
    }
}
