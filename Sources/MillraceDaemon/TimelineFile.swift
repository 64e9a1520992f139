import Logging
package import MillracePostgres
import MillraceSpool
import MillraceTelemetry

/// The newest timeline of PostgreSQL that this spool's lines were written to, beside the spool: a daemon that starts after a
/// failover does not begin with the old primary. Blocks on the disk.
///
/// ```
/// 7445120386218831899 2
/// ```
package struct TimelineFile {
    /// The spool's: nobody else may write into it.
    private let directory: String
    private let path: String

    package init(directory: String) {
        self.directory = directory
        path = directory + "/timeline"
    }

    /// For all connections of this daemon that write.
    func guarding(logger: Logger) -> PrimaryGuard {
        PrimaryGuard(newest: read(), logger: logger) { try write($0) }
    }

    /// For a command: it goes by the daemon's file, where it may read it, and leaves it as it is.
    package func lookingOnly() -> PrimaryGuard {
        PrimaryGuard(newest: read(), logger: Logger(label: "millrace") { _ in SwiftLogNoOpLogHandler() }) { _ in }
    }

    /// Nil where there is none, or where it says nothing.
    func read() -> NewestTimeline? {
        guard let bytes = (try? PosixFileSystem().readFile(path)) ?? nil else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let timeline = Int(words[1]), timeline > 0 else { return nil }
        return NewestTimeline(systemIdentifier: String(words[0]), timeline: timeline)
    }

    /// As a whole or not at all, durably. Throws `FileSystemError`.
    func write(_ newest: NewestTimeline) throws {
        try PosixFileSystem().writeFile(
            Array("\(newest.systemIdentifier) \(newest.timeline)\n".utf8), to: path, in: directory)
    }
}
