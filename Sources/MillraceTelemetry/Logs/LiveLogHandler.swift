package import Logging
internal import Synchronization

/// Writes lines by the level and the format that are in force when they are written.
package struct LiveLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let output: LogOutput
    private let settings: LogSettings
    /// Of this logger alone, where someone set it.
    private var ownLevel: Logger.Level?

    package init(label: String, settings: LogSettings, output: LogOutput) {
        self.label = label
        self.settings = settings
        self.output = output
    }

    package var logLevel: Logger.Level {
        get { ownLevel ?? settings.level }
        set { ownLevel = newValue }
    }

    /// Of the logger itself, without what its provider or a line adds.
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Hands one line to the output. Blocks only where the output does.
    package func log(event: LogEvent) {
        var handler = LogOutput.handler(label: label, level: logLevel, format: settings.format, output: output)
        handler.metadata = metadata
        handler.metadataProvider = metadataProvider
        handler.log(event: event)
    }
}

/// `log.level` and `log.format`, as all loggers of the process go by them.
package final class LogSettings: Sendable {
    private static let levels = Logger.Level.allCases
    private static let formats = LogFormat.allCases

    private let levelIndex: Atomic<Int>
    private let formatIndex: Atomic<Int>

    package init(level: Logger.Level, format: LogFormat) {
        levelIndex = Atomic(Self.levels.firstIndex(of: level) ?? 0)
        formatIndex = Atomic(Self.formats.firstIndex(of: format) ?? 0)
    }

    /// Costs an atomic load: it is asked for at every line that may be logged.
    package var level: Logger.Level { Self.levels[levelIndex.load(ordering: .relaxed)] }

    package var format: LogFormat { Self.formats[formatIndex.load(ordering: .relaxed)] }

    package func set(level: Logger.Level, format: LogFormat) {
        levelIndex.store(Self.levels.firstIndex(of: level) ?? 0, ordering: .relaxed)
        formatIndex.store(Self.formats.firstIndex(of: format) ?? 0, ordering: .relaxed)
    }
}
