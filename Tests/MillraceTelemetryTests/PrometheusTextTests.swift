import CoreMetrics
import Foundation
import Testing

@testable import MillraceTelemetry

struct PrometheusTextTests {
    /// A registry in which every metric has a series with every label.
    private static func filled() -> PrometheusRegistry {
        let registry = PrometheusRegistry()
        for name in MetricName.allCases {
            let labels = Dictionary(uniqueKeysWithValues: name.definition.labels.map { ($0, "a \"b\"\\\n") })
            switch name.definition.kind {
            case .counter: registry.counter(name, labels).increment(by: 7)
            case .gauge: registry.gauge(name, labels).set(0.5)
            case .timer: registry.timer(name, labels).record(.milliseconds(3), count: 2)
            case .summary: registry.summary(name, labels).record(8.0)
            }
        }
        return registry
    }

    private static func promtool(_ text: String) throws -> (status: Int32, output: String) {
        let file = FileManager.default.temporaryDirectory.appending(path: "millrace-metrics-\(UUID().uuidString)")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["promtool", "check", "metrics"]
        let output = Pipe()
        process.standardInput = try FileHandle(forReadingFrom: file)
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let found = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, found)
    }

    @Test func `promtool finds nothing to say about any metric`() throws {
        let registry = Self.filled()
        registry.makeTimer(label: "hb.requestDuration", dimensions: [("http.route", "/v1/{id}")]).recordNanoseconds(5)
        registry.makeCounter(label: "hb_requests", dimensions: []).increment(by: 1)
        registry.makeRecorder(label: "library-sizes", dimensions: [], aggregate: true).record(Int64(5))
        let (status, output) = try Self.promtool(registry.text())
        try #require(status != 127, "promtool is missing: install the package prometheus (make test does)")
        #expect(output == "")
        #expect(status == 0)
    }

    @Test func `counters, gauges and summaries are written with their labels`() {
        let registry = PrometheusRegistry()
        registry.counter(.httpRequests, [.status: "2xx", .route: "/v1/events"]).increment(by: 3)
        registry.gauge(.spoolSegments).set(Int64(2))
        registry.summary(.writerBatchRows).record(1.5)
        #expect(
            registry.text() == """
                # HELP millrace_http_requests_total Requests answered, by route and class of status.
                # TYPE millrace_http_requests_total counter
                millrace_http_requests_total{route="/v1/events",status="2xx"} 3
                # HELP millrace_spool_segments Segment files.
                # TYPE millrace_spool_segments gauge
                millrace_spool_segments 2
                # HELP millrace_writer_batch_rows Lines of a batch.
                # TYPE millrace_writer_batch_rows summary
                millrace_writer_batch_rows_sum 1.5
                millrace_writer_batch_rows_count 1

                """)
    }

    @Test func `a timer is a histogram in seconds, with cumulative buckets`() {
        let registry = PrometheusRegistry()
        let timer = registry.timer(.spoolSyncDuration)
        timer.record(.microseconds(100))
        timer.record(.milliseconds(2), count: 10)
        timer.record(.seconds(7200))
        let lines = registry.text().split(separator: "\n").map(String.init)
        #expect(lines.contains("# TYPE millrace_spool_sync_duration_seconds histogram"))
        #expect(lines.contains(#"millrace_spool_sync_duration_seconds_bucket{le="0.0001"} 1"#))
        #expect(lines.contains(#"millrace_spool_sync_duration_seconds_bucket{le="0.001"} 1"#))
        #expect(lines.contains(#"millrace_spool_sync_duration_seconds_bucket{le="0.0025"} 11"#))
        #expect(lines.contains(#"millrace_spool_sync_duration_seconds_bucket{le="3600"} 12"#))
        #expect(lines.contains(#"millrace_spool_sync_duration_seconds_bucket{le="+Inf"} 12"#))
        #expect(lines.contains("millrace_spool_sync_duration_seconds_sum 7200.0201"))
        #expect(lines.contains("millrace_spool_sync_duration_seconds_count 12"))
    }

    @Test func `what a stage keeps itself is asked for at each reading`() {
        let registry = PrometheusRegistry()
        let stage = MetricCounter()
        registry.observe(.spoolGroups) { Double(stage.value) }
        #expect(registry.text().hasSuffix("millrace_spool_groups_total 0\n"))
        stage.increment(by: 5)
        #expect(registry.text().hasSuffix("millrace_spool_groups_total 5\n"))
    }

    @Test func `the same labels give the same series`() {
        let registry = PrometheusRegistry()
        let first = registry.counter(.spoolAppendedLines, [.kind: "event"])
        #expect(registry.counter(.spoolAppendedLines, [.kind: "event"]) === first)
        #expect(registry.counter(.spoolAppendedLines, [.kind: "refused"]) !== first)
    }

    @Test func `a library's metric has a bounded number of series`() {
        let registry = PrometheusRegistry()
        for number in 0..<PrometheusRegistry.seriesMax + 50 {
            registry.makeCounter(label: "requests", dimensions: [("method", "M\(number)")]).increment(by: 1)
        }
        let lines = registry.text().split(separator: "\n")
        #expect(lines.count == PrometheusRegistry.seriesMax + 3)
        #expect(lines.contains(#"requests_total{method="other"} 50"#))
    }

    @Test func `a library's metric of another kind does not spoil the first`() {
        let registry = PrometheusRegistry()
        registry.makeMeter(label: "size", dimensions: []).set(Int64(4))
        registry.makeRecorder(label: "size", dimensions: [], aggregate: true).record(Int64(9))
        #expect(registry.text().hasSuffix("size 4\n"))
    }

    @Test(arguments: [("http.serverRequests", "http_server_requests"), ("HTTPTotal", "httptotal"), ("2x", "_2x")])
    func `a library's name is made to fit`(label: String, name: String) {
        #expect(PrometheusRegistry.snakeCase(label) == name)
    }

    @Test func `the process knows its memory`() throws {
        #expect(try #require(ProcessMemory.residentBytes()) > 1 << 20)
    }
}
