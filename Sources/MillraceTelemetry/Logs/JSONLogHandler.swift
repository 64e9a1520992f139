package import Logging

/// One JSON object a line: `{"time":"…","level":"error","label":"spool","message":"…","segment":"7"}`.
/// A metadata key that has the name of one of the first four gets an underscore at its end.
package struct JSONLogHandler: LogHandler {
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
        var line = output.prefix(event.level) + "{"
        if !output.isJournal { line += "\"time\":\"\(LogTime.now())\"," }
        line += "\"level\":\"\(event.level)\",\"label\":\(TerminalText.quoted(label))"
        line += ",\"message\":\(TerminalText.quoted("\(event.message)"))"
        for (key, value) in merged(event).sorted(by: { $0.key < $1.key }) {
            let name = ["time", "level", "label", "message"].contains(key) ? key + "_" : key
            line += ",\(TerminalText.quoted(name)):\(Self.json(value))"
        }
        output.write(line + "}\n")
    }

    private static func json(_ value: Logger.MetadataValue) -> String {
        switch value {
        case .array(let values): "[" + values.map(json).joined(separator: ",") + "]"
        case .dictionary(let values):
            "{"
                + values.sorted { $0.key < $1.key }.map { "\(TerminalText.quoted($0.key)):\(json($0.value))" }
                .joined(separator: ",") + "}"
        default: TerminalText.quoted("\(value)")
        }
    }
}
