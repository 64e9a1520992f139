package import Logging
package enum LogOutput {
    package enum Format: String, Sendable { case text, json }
    package static func bootstrap(level: Logger.Level, format: Format) {
        LoggingSystem.bootstrap { label in
            var h = StreamLogHandler.standardError(label: label); h.logLevel = level; return h
        }
    }
}
