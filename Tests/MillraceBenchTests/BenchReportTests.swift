import Histogram
import MillraceChannels
import MillraceEvent
import MillraceTelemetry
import Testing

@testable import MillraceBench
@testable import MillraceConsole

struct BenchReportTests {
    private func report(_ change: (inout BenchReport) -> Void = { _ in }) -> BenchReport {
        var pair = LatencyPair()
        pair.corrected.record(1500, count: 10)
        pair.uncorrected.record(900, count: 10)
        var report = BenchReport(
            wire: .tcp, ack: "committed", isOpenLoop: true, targetRate: 1000, connections: 4, batch: 1, seed: 1,
            seconds: 10, events: 10_000, bytes: 3_300_000, refused: 0, errors: 0, unacknowledged: 0, overdue: 0,
            generatorCPUSeconds: 0.5,
            latencies: .init(
                corrected: .init(LatencySummary("corrected", pair.corrected)),
                uncorrected: .init(LatencySummary("uncorrected", pair.uncorrected))),
            tables: .init(checked: true, sent: 12_000, found: 12_000))
        change(&report)
        return report
    }

    private var outcome: BenchOutcome {
        var outcome = BenchOutcome(
            plan: LoadPlan(
                wire: .tcp, acknowledgement: .committed, connections: 4, batch: 1, inFlightMax: 5000, rate: 1000,
                warmupNanoseconds: 2_000_000_000, extent: .nanoseconds(10_000_000_000)))
        outcome.sent = 12_000
        outcome.accepted = 12_000
        return outcome
    }

    @Test func `a run in which all is well has no problems`() {
        #expect(report().problems(outcome).isEmpty)
        #expect(report().notes(outcome).isEmpty)
    }

    @Test func `each problem says what is missing and the next step`() {
        #expect(report { $0.tables.found = 11_990 }.problems(outcome).first?.contains("10 acknowledged") == true)
        #expect(report { $0.refused = 3 }.problems(outcome).first?.contains("3 events were refused") == true)
        #expect(report { $0.errors = 3 }.problems(outcome).first?.contains("millrace status") == true)
        #expect(report { $0.unacknowledged = 3 }.problems(outcome).first?.contains("not acknowledged") == true)
        var failed = outcome
        failed.failure = CommandError("it broke", hint: "Mend it")
        #expect(report().problems(failed) == ["it broke. Mend it"])
        let findMax = BenchReport.FindMax(p99Ms: 5, highestRate: 0, steps: [])
        #expect(report { $0.findMax = findMax }.problems(outcome).first?.contains("no rate held") == true)
    }

    @Test func `a rate that was not reached, and a generator that is the limit, are noted`() {
        #expect(report { $0.overdue = 5000 }.notes(outcome).first?.contains("were not reached") == true)
        #expect(report { $0.generatorCPUSeconds = 11 }.notes(outcome).first?.contains("generator itself") == true)
    }

    @Test func `the text has both latencies, the rate and the tables`() {
        let pair = LatencyPair()
        let text = report().text([
            LatencySummary("corrected", pair.corrected), LatencySummary("uncorrected", pair.uncorrected),
        ])
        for part in [
            "tcp, acks committed, open loop at 1,000 events/s, 4 connections", "10,000 events in 10 s: 1,000 events/s",
            "corrected ", "uncorrected ", "p99.99 ms", "12,000 of 12,000",
        ] {
            #expect(text.contains(part), "\(text)")
        }
    }

    @Test func `the uncorrected distribution stands beside the corrected one`() {
        #expect(IntervalLog.uncorrectedPath("a/run.hgrm") == "a/run.uncorrected.hgrm")
        #expect(IntervalLog.uncorrectedPath("run") == "run.uncorrected")
    }
}
