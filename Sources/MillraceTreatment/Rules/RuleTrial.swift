package import MillraceEvent

/// Tries rules on single lines, as the intake would. Not for two threads.
package struct RuleTrial {
    /// What becomes of a line.
    package enum Outcome: Hashable, Sendable {
        case kept
        /// The parser refuses it, so that no rule sees it.
        case noLine(message: String)
        case refused(rule: String, message: String, path: String?)
        case quarantined(rule: String, message: String, path: String?)
        case sampledOut(rule: String)

        /// As an example's `expect` has it.
        package var name: String {
            switch self {
            case .kept: RuleExample.Outcome.keep.rawValue
            case .noLine: "invalid"
            case .refused: RuleExample.Outcome.refuse.rawValue
            case .quarantined: RuleExample.Outcome.quarantine.rawValue
            case .sampledOut: RuleExample.Outcome.sampleOut.rawValue
            }
        }

        /// The rule that decides; nil: none does.
        package var rule: String? {
            switch self {
            case .kept, .noLine: nil
            case .refused(let rule, _, _), .quarantined(let rule, _, _), .sampledOut(let rule): rule
            }
        }

        /// The JSON pointer of what does not fit a schema.
        package var path: String? {
            switch self {
            case .refused(_, _, let path), .quarantined(_, _, let path): path
            case .kept, .noLine, .sampledOut: nil
            }
        }

        /// For people.
        var description: String {
            switch self {
            case .kept: "it is kept"
            case .noLine(let message): "it is no event or save: \(message)"
            case .refused(_, let message, _): "it is refused: \(message)"
            case .quarantined(_, let message, _): "it is quarantined: \(message)"
            case .sampledOut(let rule): "rule \(rule) samples it out"
            }
        }
    }

    private let rules: RuleSet
    private let limits: EventLimits
    private let parser = EventParser()

    package init(rules: RuleSet, limits: EventLimits) {
        self.rules = rules
        self.limits = limits
    }

    /// What becomes of a line that is received now. An event without an id is not sampled: it would be so by chance.
    package func outcome(of line: some Collection<UInt8>, tenant: Int32) -> Outcome {
        let padded = Array(line) + [UInt8](repeating: 0, count: EventParser.paddingBytes)
        return padded.withUnsafeBytes { padded in
            let bytes = UnsafeRawBufferPointer(rebasing: padded[..<line.count])
            do throws(Refusal) {
                _ = try parser.validate(bytes, limits: limits, receivedAt: .now)
            } catch {
                return .noLine(message: error.message)
            }
            let samples = parser.hasIdentity
            guard let verdict = rules.judge(bytes, of: tenant, by: parser, samples: samples) else { return .kept }
            return Self.outcome(verdict)
        }
    }

    private static func outcome(_ verdict: RuleVerdict) -> Outcome {
        var path: String?
        if case .misfit(let found, _) = verdict.objection { path = found }
        return switch verdict.treatment {
        case .keep: .kept
        case .refuse(let refusal): .refused(rule: verdict.rule, message: refusal.message, path: path)
        case .quarantine(let refusal): .quarantined(rule: verdict.rule, message: refusal.message, path: path)
        case .sampleOut: .sampledOut(rule: verdict.rule)
        }
    }

    /// Why an example does not come to what it expects; nil: it does.
    package func failure(of example: RuleExample) -> String? {
        let found = outcome(of: example.line.utf8, tenant: example.tenant)
        let isRight =
            found.name == example.expect.rawValue && (example.rule == nil || example.rule == found.rule)
            && (example.path == nil || example.path == found.path)
        return isRight ? nil : found.description
    }
}

extension RuleExample {
    /// For people.
    package var expectation: String {
        expect.rawValue + (rule.map { " by rule \($0)" } ?? "") + (path.map { " at \($0)" } ?? "")
    }
}

extension RuleDefinition {
    /// An event of this type goes by it.
    package func isAbout(type: String) -> Bool {
        lines == .events
            && (eventTypes.isEmpty
                || eventTypes.contains { $0.hasSuffix(".*") ? type.hasPrefix($0.dropLast()) : $0 == type })
    }
}
