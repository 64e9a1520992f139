package import Logging

/// Lines for people: `2026-11-21T10:00:00.123Z error spool: segment damaged segment=7 hint="…"`.
package struct TextLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level
    private let label: String
    private let output: LogOutput

    package init(label: String, level: Logger.Level, output: LogOutput) {
        self.label = label
        logLevel = level
        self.output = output
    }

    /// Of the logger itself, without what its provider or a line adds.
    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Hands one line to the output; keys in the order of the alphabet. Blocks only where the output does.
    package func log(event: LogEvent) {
        var line = output.prefix(event.level)
        if !output.isJournal { line += "\(LogTime.now()) \(event.level) " }
        line += "\(label): \(Self.oneLine("\(event.message)"))"
        for (key, value) in merged(event).sorted(by: { $0.key < $1.key }) {
            line += " \(key)=\(Self.quoted("\(value)"))"
        }
        output.write(line + "\n")
    }

    private static func oneLine(_ text: String) -> String {
        TerminalText.line(text.contains { $0.isNewline } ? String(text.map { $0.isNewline ? " " : $0 }) : text)
    }

    private static func quoted(_ text: String) -> String {
        let needsQuotes =
            text.isEmpty || text.contains { $0.isWhitespace || $0 == "\"" || $0 == "=" }
            || text.unicodeScalars.contains(where: TerminalText.isUnsafe)
        return needsQuotes ? TerminalText.quoted(text) : text
    }
}

extension LogHandler {
    /// The logger's, the provider's, the line's own, and the error; the later wins.
    func merged(_ event: LogEvent) -> Logger.Metadata {
        var merged = metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        if let own = event.metadata { merged.merge(own) { $1 } }
        if let error = event.error { merged[LogKey.error.rawValue] = "\(error)" }
        return merged
    }
}
