import Histogram
import MillraceTelemetry
import MillraceTestSupport
import Testing

struct LatencySnapshotTests {
    @Test func `what was recorded after a copy is the difference, slot by slot`() {
        var generator = SeededGenerator(seed: 77)
        var whole = LatencyHistogram.latencies()
        var late = LatencyHistogram.latencies()
        for index in 0..<2000 {
            let value = UInt64.random(in: 0...4_000_000_000, using: &generator) >> UInt64(index % 30)
            whole.record(value, count: 2)
        }
        let earlier = whole
        for index in 0..<2000 {
            let value = UInt64.random(in: 0...4_000_000_000, using: &generator) >> UInt64(index % 30)
            whole.record(value, count: 3)
            late.record(value, count: 3)
        }
        let difference = whole.since(earlier)
        #expect(difference.totalCount == 6000)
        for percentile in [0, 10, 50, 90, 99, 99.9, 100] {
            #expect(
                late.valuesAreEquivalent(
                    difference.valueAtPercentile(percentile), late.valueAtPercentile(percentile)), "\(percentile)")
        }
        #expect(whole.since(.latencies()) == whole)
        #expect(whole.since(whole).totalCount == 0)
    }

    @Test func `stages come in the order of the path, labels after a colon`() {
        let registry = PrometheusRegistry()
        registry.timer(.httpRequestDuration, [.route: "/v1/events"]).record(.milliseconds(1))
        registry.timer(.writerCommitDuration).record(.milliseconds(1))
        registry.timer(.pipelineDurable).record(.milliseconds(1))
        _ = registry.timer(.writerCopyDuration)
        let snapshot = registry.latencySnapshot(startedAt: .zero)
        #expect(snapshot.stages.map(\.name) == ["received_to_durable", "commit", "http:/v1/events"])
        #expect(snapshot.only("http")?.stages.map(\.name) == ["http:/v1/events"])
        #expect(snapshot.only("http:/v1/events")?.stages.count == 1)
        #expect(snapshot.only("copy")?.stages.first?.histogram.totalCount == 0)
        #expect(snapshot.only("cop") == nil)
    }

    @Test func `every timer has a stage, and every stage a timer`() {
        let timers = MetricName.allCases.filter { $0.definition.kind == .timer }
        #expect(Set(timers) == Set(MetricName.stages))
        #expect(Set(timers.compactMap(\.stage)).count == timers.count)
        #expect(MetricName.allCases.filter { $0.definition.kind != .timer }.allSatisfy { $0.stage == nil })
    }
}
