/// What a setting may hold.
enum ConfigurationType: Sendable {
    case bool
    case integer(ClosedRange<Int>)
    /// In bytes: `"64MiB"`, or an integer.
    case bytes(ClosedRange<Int>)
    case duration(ClosedRange<Duration>)
    case string
    case list
    /// One string, or a list of some; as text, one a line.
    case strings
    case choice([String])

    /// Nil when `written` is not what is wanted.
    func parse(_ written: WrittenValue) -> ConfigurationValue? {
        switch (self, written) {
        case (.bool, .bool(let bool)): .bool(bool)
        case (.bool, .text(let text)): Self.bool(text).map { .bool($0) }
        case (.integer(let range), .integer(let integer)): range.contains(integer) ? .integer(integer) : nil
        case (.integer(let range), .text(let text)): Int(text).flatMap { range.contains($0) ? .integer($0) : nil }
        case (.bytes(let range), .integer(let bytes)): range.contains(bytes) ? .integer(bytes) : nil
        case (.bytes(let range), .string(let text)):
            ByteSize.parse(text).flatMap { range.contains($0) ? .integer($0) : nil }
        case (.bytes(let range), .text(let text)):
            (Int(text) ?? ByteSize.parse(text)).flatMap { range.contains($0) ? .integer($0) : nil }
        case (.duration(let range), .string(let text)), (.duration(let range), .text(let text)):
            DurationText.parse(text).flatMap { range.contains($0) ? .duration($0) : nil }
        case (.string, .string(let text)), (.string, .text(let text)): .string(text)
        case (.list, .text(let text)): .list(Self.list(text))
        case (.list, .list(let items)): Self.strings(items).map { .list($0) }
        case (.strings, .string(let text)): .string(text)
        case (.strings, .text(let text)): Self.single(text.split(separator: "\n").map { String($0).trimmed })
        case (.strings, .list(let items)): Self.strings(items).map(Self.single)
        case (.choice(let values), .string(let text)), (.choice(let values), .text(let text)):
            values.contains(text) ? .string(text) : nil
        default: nil
        }
    }

    /// For a message: "an integer from 1 to 64".
    var wanted: String {
        switch self {
        case .bool: "true or false"
        case .integer(let range): "an integer from \(range.lowerBound) to \(range.upperBound)"
        case .bytes(let range):
            "a size from \(ByteSize.format(range.lowerBound)) to \(ByteSize.format(range.upperBound)), like \"4MiB\""
        case .duration(let range):
            "a duration from \(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound)), "
                + "like \"250ms\", \"10s\", \"5m\", \"24h\", \"30d\" or \"13mo\""
        case .string: "a string"
        case .list: "a list of strings"
        case .strings: "a string, or a list of strings"
        case .choice(let values): values.map { "\"\($0)\"" }.joined(separator: ", ")
        }
    }

    /// For the shipped file; nil where the type says it all.
    var range: String? {
        switch self {
        case .bool, .string, .list, .strings: nil
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .bytes(let range): "\(ByteSize.format(range.lowerBound)) to \(ByteSize.format(range.upperBound))"
        case .duration(let range):
            "\(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
        case .choice(let values): values.map { "\"\($0)\"" }.joined(separator: ", ")
        }
    }

    /// `value` as TOML.
    func toml(_ value: ConfigurationValue) -> String {
        switch (self, value) {
        case (_, .bool(let bool)): "\(bool)"
        case (.bytes, .integer(let bytes)): Self.quoted(ByteSize.format(bytes))
        case (_, .integer(let integer)): "\(integer)"
        case (_, .duration(let duration)): Self.quoted(DurationText.format(duration))
        case (_, .string(let string)): Self.quoted(string)
        case (_, .list(let items)): "[" + items.map(Self.quoted).joined(separator: ", ") + "]"
        }
    }

    private static func bool(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "1", "yes", "on": true
        case "false", "0", "no", "off": false
        default: nil
        }
    }

    private static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { String($0).trimmed }.filter { !$0.isEmpty }
    }

    /// One string stands for a list of one, the empty one for none.
    static func single(_ strings: [String]) -> ConfigurationValue {
        let strings = strings.filter { !$0.isEmpty }
        return strings.count > 1 ? .list(strings) : .string(strings.first ?? "")
    }

    private static func strings(_ items: [WrittenValue]) -> [String]? {
        var strings: [String] = []
        for item in items {
            guard case .string(let string) = item else { return nil }
            strings.append(string)
        }
        return strings
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

/// A setting's value, once checked.
package enum ConfigurationValue: Sendable, Equatable {
    case bool(Bool)
    /// A number or a size in bytes.
    case integer(Int)
    case duration(Duration)
    case string(String)
    case list([String])

    /// Of a string or a list; of another value none.
    var strings: [String] {
        switch self {
        case .string(let string): [string]
        case .list(let strings): strings
        case .bool, .integer, .duration: []
        }
    }
}
