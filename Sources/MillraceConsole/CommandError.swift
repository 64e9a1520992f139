/// Why a command failed: what, where, and the next step. Printed to standard error as `millrace: …`, exit status 1.
package struct CommandError: Error, Equatable, CustomStringConvertible {
    /// What went wrong and where. No payloads, no connection strings.
    package var message: String
    /// The operator's next step.
    package var hint: String
    /// Whether the same may succeed later without anybody's help.
    package var isRetryable: Bool

    package init(_ message: String, hint: String, isRetryable: Bool = false) {
        self.message = message
        self.hint = hint
        self.isRetryable = isRetryable
    }

    package var description: String { "\(message). \(hint)" }
}
