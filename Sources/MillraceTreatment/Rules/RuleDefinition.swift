/// `[rules]`.
package struct RulesConfiguration: Sendable, Equatable {
    /// The path of rules.toml; empty: there are no rules.
    package var file = ""

    package init() {}
}

/// One `[[rule]]` of rules.toml.
package struct RuleDefinition: Sendable, Equatable {
    package enum Lines: String, Sendable, CaseIterable {
        case events
        case saves
    }

    package enum Action: String, Sendable, CaseIterable {
        /// The sender is told.
        case refuse
        /// The sender is told that the line is accepted; it goes into `dead_letters`.
        case quarantine
    }

    package enum SampleBy: String, Sendable, CaseIterable {
        /// Of a save: its conversation.
        case id
        case user = "user_id"
    }

    /// The metric label.
    package var name: String
    package var lines = Lines.events
    /// Whole names, or `prefix.*`; empty: all.
    package var eventTypes: [String] = []
    /// Empty: all.
    package var tenants: [Int32] = []
    /// The only types there may be; nil: any.
    package var allow: [String]?
    package var deny: [String] = []
    /// The share that goes on; nil: all.
    package var sample: Double?
    package var sampleBy = SampleBy.id
    /// A JSON Schema, as it is written; nil: none.
    var schema: SchemaText?
    package var action = Action.refuse

    package var hasSchema: Bool { schema != nil }
}

/// The text of a schema, and where it stands.
struct SchemaText: Sendable, Equatable {
    var text: [UInt8]
    var file: String
    /// Of its first line.
    var line: Int
    /// In rules.toml.
    var key: String
    /// It is of the whole line; else of `payload` or `metadata`.
    var isOfLine: Bool
}

/// What a line of an `[[example]]` is expected to come to.
package struct RuleExample: Sendable, Equatable {
    package enum Outcome: String, Sendable, CaseIterable {
        case keep
        case refuse
        case quarantine
        case sampleOut = "sample_out"
    }

    /// For reports; the number of the example where it has none.
    package var name: String
    package var tenant: Int32 = 0
    package var line: String
    package var expect: Outcome
    /// The rule that decides; nil: any.
    package var rule: String?
    /// The JSON pointer of what does not fit; nil: any.
    package var path: String?
    package var file: String
    /// Of the file, counted from 1.
    package var place: Int
}
