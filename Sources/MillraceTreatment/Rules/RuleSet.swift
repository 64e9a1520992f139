internal import CMillrace
package import MillraceEvent

/// Compiled rules. Immutable, for all threads.
package final class RuleSet: Sendable {
    private nonisolated(unsafe) let rules: OpaquePointer  // SAFETY: never changed once made; freed with this.
    private let definitions: [RuleDefinition]
    private let wants: [[SchemaKeyword: String]]

    /// Throws what is wrong with the schemas.
    package init(_ definitions: [RuleDefinition]) throws(RulesErrors) {
        var builder = RuleTables()
        for definition in definitions { builder.add(definition) }
        guard builder.errors.isEmpty else { throw RulesErrors(errors: builder.errors) }
        guard let rules = builder.make() else { preconditionFailure("there is no memory for the rules") }
        self.rules = rules
        self.definitions = definitions
        wants = builder.schemas.wants
    }

    deinit {
        mr_rules_destroy(rules)
    }

    /// Of the rules, in their order.
    package var names: [String] { definitions.map(\.name) }

    /// Judges the line that `parser` validated last, whose bytes are still where they were; nil: no rule has anything
    /// against it. `samples`: whether lines are sampled.
    package func judge(
        _ line: UnsafeRawBufferPointer, of tenant: Int32, by parser: EventParser, samples: Bool = true
    ) -> RuleVerdict? {
        parser.withLine { (parser, event) -> RuleVerdict? in
            let bytes = line.baseAddress?.assumingMemoryBound(to: UInt8.self)
            // Written to only where a rule has something to say.
            return withUnsafeTemporaryAllocation(of: mr_verdict.self, capacity: 1) { verdict in
                let verdict = verdict.baseAddress
                if mr_rules_judge(rules, parser, bytes, line.count, event, tenant, samples, verdict) { return nil }
                return verdict.map { self.verdict($0.pointee) }
            }
        }
    }

    private func verdict(_ verdict: mr_verdict) -> RuleVerdict {
        let index = Int(verdict.rule)
        let objection: RuleVerdict.Objection
        switch Int(verdict.outcome) {
        case MR_LINE_SAMPLED_OUT: objection = .sampledOut
        case MR_LINE_DENIED: objection = .denied
        case MR_LINE_MISFIT:
            let path = withUnsafeBytes(of: verdict.path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            let keyword = SchemaKeyword(rawValue: verdict.keyword)
            let wanted = keyword.flatMap { wants[Int(verdict.schema)][$0] } ?? "does not fit"
            objection = .misfit(path: path, wanted: wanted)
        default: objection = .unjudged
        }
        let definition = definitions[index]
        return RuleVerdict(index: index, rule: definition.name, action: definition.action, objection: objection)
    }
}
