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
