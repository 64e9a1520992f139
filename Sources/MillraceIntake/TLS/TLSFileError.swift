/// Why the files of `[tls]` can't be used.
package struct TLSFileError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unreadable
        case noCertificate = "no_certificate"
        case noKey = "no_key"
        case otherKey = "key_does_not_fit"
    }

    package var code: Code
    /// With the file's path.
    package var message: String
    /// The operator's next step.
    package var hint: String

    package var description: String { "\(message). \(hint)" }
}
