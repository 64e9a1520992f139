package import Logging

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

/// How log lines look. Raw value = `log.format`.
package enum LogFormat: String, Sendable, CaseIterable {
    case text
    case json
}
