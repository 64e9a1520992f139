package import Logging

/// Logging with typed keys: `logger.error("batch rejected", metadata: [.batch: "\(batch)"])`.
extension Logger {
    /// What a line says besides its message.
    package typealias Fields = [LogKey: Logger.MetadataValue]

    package func debug(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .debug, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    package func info(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .info, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    package func notice(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .notice, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    package func warning(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .warning, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

    package func error(
        _ message: @autoclosure () -> Logger.Message, metadata: @autoclosure () -> Fields, file: String = #fileID,
        function: String = #function, line: UInt = #line
    ) {
        log(level: .error, message(), metadata: Self.metadata(metadata()), file: file, function: function, line: line)
    }

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
