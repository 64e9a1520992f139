internal import Foundation

/// An `.hlog` as another implementation reads it: Python's `hdrhistogram`.
package enum DecodedHistogramLog {
    package struct Interval: Decodable, Sendable {
        /// Nil where the line has none.
        package var tag: String?
        /// Seconds since 1970.
        package var start: Double
        /// Seconds.
        package var length: Double
        package var count: Int
        /// In the log's unit: microseconds.
        package var min: Int
        package var p50: Int
        package var p99: Int
        package var max: Int
    }

    private static let script = """
        import json, sys
        from hdrh.histogram import HdrHistogram
        from hdrh.log import HistogramLogReader
        reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 3600000000, 3))
        intervals = []
        while True:
            histogram = reader.get_next_interval_histogram()
            if histogram is None:
                break
            intervals.append({
                "tag": histogram.get_tag(), "count": histogram.get_total_count(),
                "start": histogram.get_start_time_stamp() / 1000,
                "length": (histogram.get_end_time_stamp() - histogram.get_start_time_stamp()) / 1000,
                "min": histogram.get_min_value(), "max": histogram.get_max_value(),
                "p50": histogram.get_value_at_percentile(50), "p99": histogram.get_value_at_percentile(99),
            })
        reader.close()
        json.dump(intervals, sys.stdout)
        """

    /// The intervals of the file at `path`, in order. Throws what Python said, or what to install.
    package static func intervals(at path: String) throws -> [Interval] {
        let process = Process()
        process.executableURL = URL(filePath: try Python.path)
        process.arguments = ["-c", script, path]
        let output = Pipe()
        let errors = Pipe()
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw TestSupportError(message: "Python could not read \(path): \(said.suffix(1000)). \(Python.hint)")
        }
        return try JSONDecoder().decode([Interval].self, from: text)
    }

    /// The intervals of a log that is given as text.
    package static func intervals(in text: String) throws -> [Interval] {
        let scratch = try ScratchDirectory()
        let path = scratch.path + "/test.hlog"
        try Data(text.utf8).write(to: URL(filePath: path))
        return try intervals(at: path)
    }
}
