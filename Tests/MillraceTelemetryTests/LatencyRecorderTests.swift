import Histogram
import MillraceTelemetry
import Testing

struct LatencyRecorderTests {
    @Test func `a batch is one call`() throws {
        let recorder = LatencyRecorder()
        recorder.record(.milliseconds(1), count: 999)
        recorder.record(.milliseconds(100), count: 1)
        let snapshot = try #require(recorder.snapshot())
        #expect(snapshot.histogram.totalCount == 1000)
        #expect(snapshot.histogram.valueAtPercentile(50) == 1000)
        #expect(snapshot.histogram.valuesAreEquivalent(snapshot.histogram.maxRecorded, 100_000))
        #expect(abs(snapshot.sumSeconds - 1.099) < 1e-9)
    }

    @Test func `every reading has all since the start`() throws {
        let recorder = LatencyRecorder()
        #expect(recorder.snapshot() == nil)
        for round in 1...5 {
            recorder.record(.microseconds(round), count: 2)
            #expect(try #require(recorder.snapshot()).histogram.totalCount == UInt64(2 * round))
        }
        #expect(try #require(recorder.snapshot()).histogram.totalCount == 10)
        #expect(try #require(recorder.snapshot()).histogram.totalCount == 10)
    }

    @Test func `durations are rounded up to microseconds and held within an hour`() throws {
        let recorder = LatencyRecorder()
        recorder.record(.nanoseconds(1))
        recorder.record(.seconds(-5))
        recorder.record(.seconds(86_400))
        recorder.record(.seconds(1), count: 0)
        let histogram = try #require(recorder.snapshot()).histogram
        #expect(histogram.totalCount == 3)
        #expect(histogram.count(within: 0...0) == 1)
        #expect(histogram.count(within: 1...1) == 1)
        #expect(histogram.valuesAreEquivalent(histogram.max, 3_600_000_000))
    }

    @Test func `nothing is lost while many record and one reads`() async throws {
        let recorder = LatencyRecorder()
        await withTaskGroup { group in
            for writer in 1...4 {
                group.addTask { for _ in 0..<20_000 { recorder.record(.microseconds(writer), count: 3) } }
            }
            group.addTask { for _ in 0..<50 { _ = recorder.snapshot() } }
        }
        let snapshot = try #require(recorder.snapshot())
        #expect(snapshot.histogram.totalCount == 240_000)
        for writer in 1...4 { #expect(snapshot.histogram.countForValue(UInt64(writer)) == 60_000) }
        #expect(abs(snapshot.sumSeconds - 0.6) < 1e-6)
    }
}
