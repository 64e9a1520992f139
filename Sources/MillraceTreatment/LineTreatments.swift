package import MillraceEvent
internal import MillraceTelemetry

/// The rules in force, which see every accepted line as plain text, before its fields are treated: lines of TCP, items of
/// bodies, saves, rows of the outbox, and dead letters that are retried.
///
/// Immutable, for all threads; a reload puts another one in its place. Whoever takes lines in holds nil where there are no
/// rules, and looks no further.
package final class LineTreatments: Sendable {
    private let rules: RuleSet
    /// Of each rule.
    private let counts: [RuleCounters.Counts]

    /// Nil where there are no rules. `counters`: of what the rules decide.
    package init?(rules: RuleSet?, counters: RuleCounters = RuleCounters(in: nil)) {
        guard let rules else { return nil }
        self.rules = rules
        counts = rules.names.map { counters.counts(of: $0) }
    }

    /// Rules in force.
    package var ruleCount: Int { counts.count }

    /// Treats the line that `parser` validated last, whose bytes are still where they were. `kind`: what it is. `samples`:
    /// whether rules may sample it out.
    package func treat(
        _ kind: RecordKind, _ line: UnsafeRawBufferPointer, of tenant: Int32, by parser: EventParser,
        samples: Bool = true
    ) -> LineTreatment {
        if let verdict = rules.judge(line, of: tenant, by: parser, samples: samples) {
            let treatment = verdict.treatment
            switch treatment {
            case .sampleOut: counts[verdict.index].sampledOut.add(1)
            case .quarantine: counts[verdict.index].quarantined.add(1)
            case .refuse, .keep: counts[verdict.index].refused.add(1)
            }
            return treatment
        }
        return .keep
    }
}
