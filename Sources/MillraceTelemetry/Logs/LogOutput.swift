internal import Glibc
package import Logging

/// Where log lines go: standard error, which is the journal, a file or a terminal.
package struct LogOutput: Sendable {
    /// The journal knows the time itself, and takes the level from a prefix `<3>` (sd-daemon(3)).
    package var isJournal: Bool
    /// Writes one line, its newline included.
    package var write: @Sendable (String) -> Void

    package init(isJournal: Bool, write: @escaping @Sendable (String) -> Void) {
        self.isJournal = isJournal
        self.write = write
    }

    /// Standard error of this process. `environment`: of the process, for `JOURNAL_STREAM`.
    package static func standardError(environment: [String: String]) -> LogOutput {
        LogOutput(isJournal: isJournal(environment)) { line in
            var rest = Array(line.utf8)[...]
            // One write a line, so that lines of several threads don't mix.
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Makes every logger write to standard error. Once a process.
    package static func bootstrap(level: Logger.Level, format: LogFormat, environment: [String: String]) {
        let output = standardError(environment: environment)
        LoggingSystem.bootstrap { label in
            switch format {
            case .text: TextLogHandler(label: label, level: level, output: output)
            case .json: JSONLogHandler(label: label, level: level, output: output)
            }
        }
    }

    /// `JOURNAL_STREAM` names the device and inode of the journal's socket; a redirected standard error has others.
    private static func isJournal(_ environment: [String: String]) -> Bool {
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
