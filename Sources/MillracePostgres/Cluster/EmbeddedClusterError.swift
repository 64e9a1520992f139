/// Why the private PostgreSQL could not be started or stopped, or that it ended.
package struct EmbeddedClusterError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case binariesMissing = "binaries_missing"
        /// The data was made by another major version than is installed.
        case versionMismatch = "version_mismatch"
        /// PostgreSQL refuses to run as root, and there is no user to run it as.
        case userMissing = "user_missing"
        case directoryUnreachable = "directory_unreachable"
        case initFailed = "init_failed"
        case startFailed = "start_failed"
        case stopFailed = "stop_failed"
        /// It ran, and is gone.
        case ended
    }

    package var code: Code
    package var message: String
    package var hint: String

    package var description: String { "\(code.rawValue): \(message). \(hint)" }
}
