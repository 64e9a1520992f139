/// What the spool could not do.
package struct SpoolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Raw value = log value = metric tag.
    package enum Code: String, Sendable, CaseIterable {
        /// Another process holds the directory.
        case locked
        /// The directory can't be made, listed or locked.
        case directoryUnusable = "directory_unusable"
        /// A segment belongs to another spool.
        case mixedSpools = "mixed_spools"
        /// There are segments, but neither `spool.id` nor an intact segment header says whose.
        case identityLost = "identity_lost"
        /// A segment was written by a newer Millrace.
        case unsupportedVersion = "unsupported_version"
        /// The disk, a quota, `spool.bytes` or the reserve.
        case full = "spool_full"
        case writeFailed = "write_failed"
        case syncFailed = "sync_failed"
        case readFailed = "read_failed"
    }

    package var code: Code
    /// File or directory.
    package var path: String
    /// The failed call on the disk, if one failed.
    package var cause: FileSystemError?
    /// The operator's next step.
    package var hint: String

    package init(_ code: Code, path: String, cause: FileSystemError? = nil, hint: String? = nil) {
        self.code = code
        self.path = path
        self.cause = cause
        self.hint = hint ?? Self.hint(for: code)
    }

    /// A failed call while writing: out of space, or `code`.
    init(_ cause: FileSystemError, writing path: String) {
        let code: Code = cause.isOutOfSpace ? .full : cause.call == .synchronize ? .syncFailed : .writeFailed
        self.init(code, path: path, cause: cause)
    }

    package var errno: Int32? { cause?.errno }

    /// True when the same call may succeed later without anyone changing the configuration.
    package var isRetryable: Bool {
        switch code {
        case .full, .writeFailed, .syncFailed, .readFailed: true
        case .locked, .directoryUnusable, .mixedSpools, .identityLost, .unsupportedVersion: false
        }
    }

    package var description: String {
        "\(code.rawValue): \(path)\(cause.map { ": \($0)" } ?? ""); \(hint)"
    }

    private static func hint(for code: Code) -> String {
        switch code {
        case .locked: "stop the other daemon, or give this one its own spool.directory"
        case .directoryUnusable: "check the owner and the mode of spool.directory and its parents"
        case .mixedSpools: "move the foreign segments back to the spool they came from"
        case .identityLost: "write the spool's UUID (ingest_batches.spool_id) into the file spool.id and start again"
        case .unsupportedVersion: "start the Millrace version that wrote it, or let that one empty the spool first"
        case .full: "make room on the disk, raise spool.bytes, or bring PostgreSQL back so that segments can go"
        case .writeFailed, .syncFailed: "check the disk (dmesg); the spool goes on in a new segment when it can"
        case .readFailed: "check the disk (dmesg) and the limit on open files"
        }
    }
}
