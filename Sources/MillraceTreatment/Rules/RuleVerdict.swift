package import MillraceEvent

/// What the rules have against a line.
package struct RuleVerdict: Sendable, Equatable {
    package enum Objection: Sendable, Equatable {
        case sampledOut
        /// Its type is not one of those allowed, or is denied.
        case denied
        /// `path`: a JSON pointer to the value of the line that does not fit. `wanted`: what is said of it.
        case misfit(path: String, wanted: String)
        /// There was no memory to look.
        case unjudged
    }

    /// The rule's number in the file, from 0.
    package var index: Int
    package var rule: String
    package var action: RuleDefinition.Action
    package var objection: Objection

    /// What is said of the line where it is refused or quarantined. Never holds a value of the line.
    package var refusal: Refusal {
        switch objection {
        case .denied: Refusal(.deniedType, "rule \(rule): this event_type is not wanted here")
        case .misfit(let path, let wanted):
            Refusal(.schema, "rule \(rule): \(path.isEmpty ? "the line" : path) \(wanted)")
        case .unjudged, .sampledOut: Refusal(.lineTooLong, "there is no memory to hold it against the rules")
        }
    }

    package var treatment: LineTreatment {
        switch objection {
        case .sampledOut: .sampleOut
        case .unjudged: .refuse(refusal)
        case .denied, .misfit: action == .refuse ? .refuse(refusal) : .quarantine(refusal)
        }
    }
}
