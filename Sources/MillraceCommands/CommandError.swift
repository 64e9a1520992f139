/// Why a command failed: what, where, and the next step. Printed to standard error as `millrace: …`, exit status 1.
struct CommandError: Error, Equatable, CustomStringConvertible {
    /// What went wrong and where. No payloads, no connection strings.
    var message: String
    /// The operator's next step.
    var hint: String
    /// Whether the same may succeed later without anybody's help.
    var isRetryable: Bool

    init(_ message: String, hint: String, isRetryable: Bool = false) {
        self.message = message
        self.hint = hint
        self.isRetryable = isRetryable
    }

    var description: String { "\(message). \(hint)" }
}
