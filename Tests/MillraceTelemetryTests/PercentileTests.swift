import Foundation
import Histogram
import MillraceTelemetry
import Testing

struct PercentileTests {
    /// 1 … 1000 ms, each once.
    private static func linear() -> LatencyHistogram {
        var histogram = LatencyHistogram.latencies()
        for milliseconds in 1...1000 { histogram.record(UInt64(milliseconds) * 1000, count: 1) }
        return histogram
    }

    @Test func `a table has a line for each name, its columns flush`() {
        var one = LatencyHistogram.latencies()
        one.record(1234, count: 7_000_000_000)
        let text = PercentileTable.text(
            [LatencySummary("copy", one), LatencySummary("received_to_durable", Self.linear())], title: "stage")
        let lines = text.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(Set(lines.map(\.count)).count == 1)
        #expect(lines[0].hasPrefix("stage"))
        #expect(lines[1].split(separator: " ").prefix(5) == ["copy", "7000000000", "1.234", "1.234", "1.234"])
        #expect(lines[2].hasSuffix(" 1000.000"))
    }

    @Test func `a summary is JSON with its units`() throws {
        let summary = LatencySummary("copy", Self.linear())
        let data = try JSONEncoder().encode(summary)
        let object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(object["name"] as? String == "copy")
        #expect(object["count"] as? Int == 1000)
        #expect(object["max_us"] as? Int == 1_000_000)
        #expect(object["p99.9_us"] as? Int == 999_423)
        #expect(try JSONDecoder().decode(LatencySummary.self, from: data) == summary)
    }

    @Test func `a distribution is in the plotter's form`() throws {
        let lines = PercentileDistribution.text(Self.linear()).split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "       Value     Percentile TotalCount 1/(1-Percentile)")
        #expect(lines[1] == "")
        #expect(lines[2] == "       1.000 0.000000000000          1           1.00")
        let half = try #require(lines.first { $0.contains(" 0.500000000000 ") })
        #expect(half.split(separator: " ").dropFirst() == ["0.500000000000", "500", "2.00"])
        let ends = try #require(lines.first { $0.contains(" 1.000000000000 ") })
        #expect(ends.split(separator: " ").dropFirst() == ["1.000000000000", "1000"])
        #expect(lines.contains { $0.hasPrefix("#[Max     = ") && $0.hasSuffix("Total count    =         1000]") })
        #expect(lines.contains("#[Buckets =           22, SubBuckets     =         2048]"))
    }

    @Test func `counts of more than 32 bits are written whole`() {
        var histogram = LatencyHistogram.latencies()
        histogram.record(5, count: 5_000_000_000)
        #expect(PercentileDistribution.text(histogram).contains(" 5000000000"))
    }

    @Test func `an empty histogram is no error`() {
        let text = PercentileDistribution.text(.latencies())
        #expect(text.contains("Total count    =            0]"))
        #expect(PercentileTable.text([], title: "stage").hasPrefix("stage  count"))
        #expect(LatencySummary("none", .latencies()).max == 0)
    }
}
