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
            while level <= 100 * Double(passed) / Double(histogram.totalCount) {
                text += line(slot, passed, level)
                if isLast { break }
                level = next(level)
            }
            if isLast { text += line(slot, passed, 100) }
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
        let fraction = level / 100
        var line = milliseconds(Double(slot.values.upperBound)) + " " + FixedPoint.text(fraction, decimals: 12)
        line += " " + FixedPoint.pad("\(passed)", to: 10)
        if level < 100 { line += " " + FixedPoint.text(1 / (1 - fraction), decimals: 2, width: 14) }
        return line + "\n"
    }

    /// The percentile after `level`: each halving of the distance to 100 goes in equal steps.
    private static func next(_ level: Double) -> Double {
        var halvings = 1.0
        while halvings * 2 * (100 - level) <= 100 { halvings *= 2 }
        return level + 100 / (Double(ticksPerHalfDistance) * halvings * 2)
    }

    private static func milliseconds(_ microseconds: Double) -> String {
        FixedPoint.text(microseconds / 1000, decimals: 3, width: 12)
    }
}

/// Percentiles of several histograms as one table for people, times in milliseconds.
package enum PercentileTable {
    private static let titles = [
        "count", "min ms", "mean ms", "p50 ms", "p75 ms", "p90 ms", "p99 ms", "p99.9 ms", "p99.99 ms", "max ms",
    ]

    /// One line a row below the titles, each with its line ending; `title` stands above the names.
    package static func text(_ rows: [LatencySummary], title: String) -> String {
        var cells = [[title] + titles]
        for row in rows {
            let times = [
                Double(row.min), row.mean, Double(row.p50), Double(row.p75), Double(row.p90), Double(row.p99),
                Double(row.p999), Double(row.p9999), Double(row.max),
            ]
            cells.append([row.name, "\(row.count)"] + times.map { FixedPoint.text($0 / 1000, decimals: 3) })
        }
        let widths = cells[0].indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        return cells.map { line in
            let name = line[0] + String(repeating: " ", count: widths[0] - line[0].count)
            let numbers = line.indices.dropFirst().map { FixedPoint.pad(line[$0], to: widths[$0]) }
            return ([name] + numbers).joined(separator: "  ") + "\n"
        }.joined()
    }
}

/// Decimal numbers as text, without Foundation and locales.
enum FixedPoint {
    /// `value` rounded to `decimals` digits after the point, flush right in `width` characters. What doesn't fit into
    /// 63 bits at that resolution is `Infinity`.
    static func text(_ value: Double, decimals: Int, width: Int = 0) -> String {
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        var text = "Infinity"
        if let scaled = Int64(exactly: (value * Double(scale)).rounded()) {
            let digits = String(scaled.magnitude)
            let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
            text = (scaled < 0 ? "-" : "") + padded.dropLast(decimals)
            if decimals > 0 { text += "." + padded.suffix(decimals) }
        }
        return pad(text, to: width)
    }

    /// Flush right.
    static func pad(_ text: String, to width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
