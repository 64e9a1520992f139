package import MillraceTelemetry
internal import Synchronization

/// Lines that rules decided against, by the rule's name. Rules come and go with reloads; a name that was there once keeps its
/// counters, up to a number of names beyond which all share one.
package final class RuleCounters: Sendable {
    /// Of one rule.
    package struct Counts: Sendable {
        package let refused: MetricCounter
        package let quarantined: MetricCounter
        package let sampledOut: MetricCounter
    }

    /// The label of those without series of their own.
    private static let others = "other"
    /// Names with series of their own.
    private static let namesMax = 1000

    private let registry: PrometheusRegistry?
    private let counts = Mutex<[String: Counts]>([:])

    /// `registry`: where they are exposed; nil: nowhere.
    package init(in registry: PrometheusRegistry?) {
        self.registry = registry
    }

    /// The counters of a rule: the same ones at each call.
    package func counts(of rule: String) -> Counts {
        counts.withLock { counts in
            if let known = counts[rule] { return known }
            let name = counts.count < Self.namesMax ? rule : Self.others
            if let known = counts[name] { return known }
            let made = Counts(
                refused: counter(name, "refused"), quarantined: counter(name, "quarantined"),
                sampledOut: counter(name, "sampled_out"))
            counts[name] = made
            return made
        }
    }

    private func counter(_ rule: String, _ outcome: String) -> MetricCounter {
        registry?.counter(.rulesLines, [.rule: rule, .outcome: outcome]) ?? MetricCounter()
    }
}
