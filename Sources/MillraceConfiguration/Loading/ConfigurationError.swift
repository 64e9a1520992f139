/// One thing that is wrong with the configuration. Never holds a secret.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Raw value = the word in reports.
    package enum Code: String, Sendable {
        case unreadableFile = "unreadable_file"
        case invalidSyntax = "invalid_syntax"
        case unknownSection = "unknown_section"
        case unknownKey = "unknown_key"
        case invalidValue = "invalid_value"
        case impossibleCombination = "impossible_combination"
    }

    package var code: Code
    /// Where the wrong value was written.
    package var origin: ConfigurationOrigin
    /// `section.key`, or what was written in its place; nil when the whole file is meant.
    package var key: String?
    /// What is wrong, and what is wanted.
    package var message: String

    package var description: String { "\(origin): \(message)" }
}

/// All that is wrong with the configuration: file first, by line, then environment, then flags.
package struct ConfigurationErrors: Error, Sendable, CustomStringConvertible {
    /// At least one.
    package var errors: [ConfigurationError]

    /// One line each.
    package var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// Where a value came from.
package enum ConfigurationOrigin: Sendable, Equatable, CustomStringConvertible {
    case builtIn
    /// `line` counts from 1.
    case file(path: String, line: Int)
    /// The name of a credential that systemd passed.
    case credential(String)
    /// The variable's name.
    case environment(String)
    /// The flag, as it is written on the command line.
    case flag(String)

    package var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let path, let line): "\(path):\(line)"
        case .credential(let name): "credential \(name)"
        case .environment(let name): name
        case .flag(let flag): flag
        }
    }
}
