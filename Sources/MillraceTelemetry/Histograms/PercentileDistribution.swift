internal import Histogram

/// HdrHistogram's percentile output (`.hgrm`), which its plotter draws:
/// https://hdrhistogram.github.io/HdrHistogram/plotFiles.html. One distribution a file; values in milliseconds.
package enum PercentileDistribution {
    /// Steps in each halving of the distance to 100 %.
    private static let ticksPerHalfDistance = 5

    /// The whole file. Written here and not by the package, whose text cuts counts to 32 bits.
    package static func text(_ histogram: LatencyHistogram) -> String {
        let slots = histogram.recordedSlots()
        var text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
        var level = 0.0
        var passed: UInt64 = 0
        for slot in slots {
            passed += slot.count
            let isLast = passed == histogram.totalCount
            while level <= Double(passed) / Double(histogram.totalCount) {
                text += line(slot, passed, level)
                if isLast { break }
                level = next(level)
            }
            if isLast { text += line(slot, passed, 1) }
        }
        let layout = HistogramLayout(histogram)
        text += "#[Mean    = \(milliseconds(slots.mean)), "
        text += "StdDeviation   = \(milliseconds(slots.standardDeviation))]\n"
        text += "#[Max     = \(milliseconds(Double(histogram.max))), "
        text += "Total count    = \(FixedPoint.pad("\(histogram.totalCount)", to: 12))]\n"
        text += "#[Buckets = \(FixedPoint.pad("\(layout.bucketCount)", to: 12)), "
        text += "SubBuckets     = \(FixedPoint.pad("\(layout.subBucketCount)", to: 12))]\n"
        return text
    }

    private static func line(_ slot: HistogramSlot, _ passed: UInt64, _ level: Double) -> String {
        var line = milliseconds(Double(slot.values.upperBound)) + " " + FixedPoint.text(level, decimals: 12)
        line += " " + FixedPoint.pad("\(passed)", to: 10)
        if level < 1 { line += " " + FixedPoint.text(1 / (1 - level), decimals: 2, width: 14) }
        return line + "\n"
    }

    /// The level after `level`: its distance to 1, rounded up to a power of two, in equal steps.
    private static func next(_ level: Double) -> Double {
        var halvings = 1.0
        while halvings * 2 * (1 - level) <= 1 { halvings *= 2 }
        return level + 1 / (Double(ticksPerHalfDistance) * halvings * 2)
    }

    private static func milliseconds(_ microseconds: Double) -> String {
        FixedPoint.text(microseconds / 1000, decimals: 3, width: 12)
    }
}
