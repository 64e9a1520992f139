/// One thing that is wrong with a pack.
package struct PackError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unknownPack = "unknown_pack"
        case unreadableFile = "unreadable_file"
        case invalidSyntax = "invalid_syntax"
        case unknownKey = "unknown_key"
        case missingKey = "missing_key"
        case invalidValue = "invalid_value"
        case unknownField = "unknown_field"
        case impossibleCombination = "impossible_combination"
        case missingTable = "missing_table"
        case missingColumn = "missing_column"
        case wrongType = "wrong_type"
        case wrongKey = "wrong_key"
        case notCommutative = "not_commutative"
    }

    package var code: Code
    /// The path of the file, or its place in the sources when the pack is compiled in.
    package var file: String
    /// Counted from 1.
    package var line: Int
    /// What is wrong, and how to fix it.
    package var message: String

    package init(code: Code, file: String, line: Int, message: String) {
        self.code = code
        self.file = file
        self.line = line
        self.message = message
    }

    package var description: String { "\(file):\(line): \(message)" }
}

/// All that is wrong with the packs, in the order of their lines.
package struct PackErrors: Error, Sendable, Equatable, CustomStringConvertible {
    /// At least one.
    package var errors: [PackError]

    package init(errors: [PackError]) {
        self.errors = errors
    }

    /// One line each.
    package var description: String { errors.map(\.description).joined(separator: "\n") }
}
