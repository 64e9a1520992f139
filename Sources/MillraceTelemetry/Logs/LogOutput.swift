internal import Glibc
package import Logging
internal import Synchronization

/// Where log lines go: to standard error, which is the journal, a file or a terminal.
package struct LogOutput: Sendable {
    /// The journal knows the time itself, and takes the level from a prefix `<3>` (sd-daemon(3)).
    package var isJournal: Bool
    /// Writes one line, its newline included.
    package var write: @Sendable (String) -> Void

    package init(isJournal: Bool, write: @escaping @Sendable (String) -> Void) {
        self.isJournal = isJournal
        self.write = write
    }

    /// Makes every logger write to standard error, by a thread of its own. Once a process.
    ///
    /// - Parameters:
    ///   - settings: may change later.
    ///   - bufferBytes: of lines that wait for their reader.
    ///   - environment: of the process, for `JOURNAL_STREAM`.
    package static func bootstrap(
        _ settings: LogSettings, bufferBytes: Int, environment: [String: String]
    ) -> LogWriter {
        let isJournal = isJournal(environment)
        let writer = LogWriter(descriptor: STDERR_FILENO, bytesMax: bufferBytes) { dropped in
            notice(dropped: dropped, format: settings.format, isJournal: isJournal)
        }
        let output = LogOutput(isJournal: isJournal) { writer.write($0) }
        LoggingSystem.bootstrap { LiveLogHandler(label: $0, settings: settings, output: output) }
        return writer
    }

    static func handler(
        label: String, level: Logger.Level, format: LogFormat, output: LogOutput
    ) -> any LogHandler {
        switch format {
        case .text: TextLogHandler(label: label, level: level, output: output)
        case .json: JSONLogHandler(label: label, level: level, output: output)
        }
    }

    /// The line that is written in the place of dropped ones.
    static func notice(dropped: Int, format: LogFormat, isJournal: Bool) -> String {
        let line = Mutex("")
        let output = LogOutput(isJournal: isJournal) { text in line.withLock { $0 = text } }
        let logger = Logger(label: "log") { handler(label: $0, level: .warning, format: format, output: output) }
        logger.warning(
            "log lines dropped",
            metadata: [
                .count: "\(dropped)",
                .hint: "nobody read standard error for a while, and log.buffer_bytes were full",
            ])
        return line.withLock { $0 }
    }

    /// `JOURNAL_STREAM` names the device and inode of the journal's socket; a redirected standard error has others.
    package static func isJournal(_ environment: [String: String]) -> Bool {
        var status = stat()
        guard let stream = environment["JOURNAL_STREAM"], fstat(STDERR_FILENO, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }

    /// `<3>` and the like, for the journal; else nothing.
    func prefix(_ level: Logger.Level) -> String {
        guard isJournal else { return "" }
        switch level {
        case .trace, .debug: return "<7>"
        case .info: return "<6>"
        case .notice: return "<5>"
        case .warning: return "<4>"
        case .error: return "<3>"
        case .critical: return "<2>"
        }
    }
}

/// How log lines look. Raw value = `log.format`.
package enum LogFormat: String, Sendable, CaseIterable {
    case text
    case json
}

/// `[log]`.
package struct LogConfiguration: Sendable, Equatable {
    package var level = Logger.Level.info
    package var format = LogFormat.text
    /// Lines that wait to be written, in bytes; what comes beyond them is dropped and counted.
    package var bufferBytes = 1 << 20
    /// How long an end of the process waits for them.
    package var flushLimit = Duration.seconds(2)

    package init() {}
}
