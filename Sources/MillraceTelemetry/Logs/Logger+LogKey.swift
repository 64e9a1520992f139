package import Logging

/// Logging with typed keys: `logger.error("batch rejected", metadata: [.batch: "\(batch)"])`.
extension Logger {
    /// What a line says besides its message.
    package typealias Fields = [LogKey: Logger.MetadataValue]

    /// For whoever looks for a fault. Neither argument is evaluated below the logger's level; so with the others.
    package func debug(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .debug, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    /// The life of the daemon: a start, an end, a step between them.
    package func info(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .info, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    /// A change that an operator sees.
    package func notice(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .notice, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    /// Something works worse than it should, and gets better by itself.
    package func warning(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .warning, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    /// Someone must act; `.hint` says what to do.
    package func error(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .error, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    /// The daemon can't go on.
    package func critical(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(
            level: .critical, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line
        )
    }

    /// What every line of this logger says: `logger[.writer] = "\(index)"`.
    package subscript(key: LogKey) -> Logger.MetadataValue? {
        get { self[metadataKey: key.rawValue] }
        set { self[metadataKey: key.rawValue] = newValue }
    }

    private static func metadata(_ fields: Fields) -> Logger.Metadata {
        Dictionary(uniqueKeysWithValues: fields.map { ($0.key.rawValue, $0.value) })
    }
}
