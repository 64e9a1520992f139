/// One thing that is wrong with the rules' file, or with a file that it names.
package struct RulesError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unreadableFile = "unreadable_file"
        case invalidSyntax = "invalid_syntax"
        case unknownKey = "unknown_key"
        case missingKey = "missing_key"
        case invalidValue = "invalid_value"
        case impossibleCombination = "impossible_combination"
        /// A keyword of JSON Schema that is not supported.
        case unsupportedKeyword = "unsupported_keyword"
        case invalidSchema = "invalid_schema"
        case tooLarge = "too_large"
    }

    package var code: Code
    package var file: String
    /// Counted from 1.
    package var line: Int
    /// Of rules.toml, as `rule.order.schema`; nil where the whole file is meant.
    package var key: String?
    /// Of what is wrong in a schema, as a JSON pointer; nil elsewhere.
    package var pointer: String?
    /// What is wrong, and how to fix it.
    package var message: String

    package var description: String {
        let place = [key, pointer.map { $0.isEmpty ? "#" : "#" + $0 }].compactMap(\.self).joined(separator: " ")
        return "\(file):\(line): \(place.isEmpty ? "" : place + ": ")\(message)"
    }
}

/// All that is wrong with the rules, in the order of their lines.
package struct RulesErrors: Error, Sendable, Equatable, CustomStringConvertible {
    /// At least one.
    package var errors: [RulesError]

    /// One line each.
    package var description: String { errors.map(\.description).joined(separator: "\n") }
}
