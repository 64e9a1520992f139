/// The five characters by which PostgreSQL names a condition; the first two are its class.
package struct SQLState: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The first two characters, as in appendix A of PostgreSQL's manual.
    package var category: Substring { rawValue.prefix(2) }

    package var description: String { rawValue }

    package static let connectionFailure = SQLState(rawValue: "08006")
    package static let readOnlyTransaction = SQLState(rawValue: "25006")
    package static let uniqueViolation = SQLState(rawValue: "23505")
    package static let checkViolation = SQLState(rawValue: "23514")
    package static let serializationFailure = SQLState(rawValue: "40001")
    package static let deadlockDetected = SQLState(rawValue: "40P01")
    package static let insufficientPrivilege = SQLState(rawValue: "42501")
    package static let undefinedTable = SQLState(rawValue: "42P01")
    package static let duplicateTable = SQLState(rawValue: "42P07")
    package static let lockNotAvailable = SQLState(rawValue: "55P03")
    package static let queryCanceled = SQLState(rawValue: "57014")
    package static let cannotConnectNow = SQLState(rawValue: "57P03")
    package static let internalError = SQLState(rawValue: "XX000")
    package static let dataCorrupted = SQLState(rawValue: "XX001")
}
