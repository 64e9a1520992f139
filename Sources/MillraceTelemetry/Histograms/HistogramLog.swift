internal import Histogram

/// HdrHistogram's interval log (`.hlog`), format 1.3: text that HistogramLogAnalyzer and the log readers of the
/// implementations take. Values are in microseconds, `Interval_Max` in milliseconds, timestamps in seconds since 1970.
///
/// ```
/// #[Histogram log format version 1.3]
/// #[StartTime: 1795267200.000 (seconds since epoch), 2026-11-21T13:20:00.000Z]
/// "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
/// Tag=copy,1795267200.000,10.002,12.319,HISTFAAAA…
/// ```
package enum HistogramLog {
    /// The lines in front of a log's first interval, with their line endings. `startedAt`: since 1970, UTC.
    package static func header(startedAt: Duration) -> String {
        """
        #[Millrace; values in microseconds, Interval_Max in milliseconds]
        #[Histogram log format version 1.3]
        #[StartTime: \(seconds(startedAt)) (seconds since epoch), \(LogTime.text(startedAt))]
        "StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"

        """
    }

    /// One interval with its line ending. `startedAt`: since 1970. `tag`: what was measured; a comma, a blank or a line
    /// break becomes `_`, since it would end the tag. Empty: no tag.
    package static func line(
        tag: String, startedAt: Duration, length: Duration, _ histogram: LatencyHistogram
    ) -> String {
        let name = tag.map { $0 == "," || $0.isWhitespace ? "_" : $0 }
        let prefix = name.isEmpty ? "" : "Tag=\(String(name)),"
        let maxMilliseconds = FixedPoint.text(Double(histogram.max) / 1000, decimals: 3)
        return "\(prefix)\(seconds(startedAt)),\(seconds(length)),\(maxMilliseconds),"
            + HistogramEncoding.base64(histogram) + "\n"
    }

    private static func seconds(_ duration: Duration) -> String {
        FixedPoint.text(duration / .seconds(1), decimals: 3)
    }
}
