/// What a daemon under test is configured with: keys of config.toml and their values as TOML.
struct DaemonSettings {
    private var values: [String: String] = [:]

    /// `section.key`. Strings need their quotes.
    subscript(key: String) -> String? {
        get { values[key] }
        set { values[key] = newValue }
    }

    mutating func merge(_ others: [String: String]) {
        values.merge(others) { $1 }
    }

    var toml: String {
        var sections: [String: [String]] = [:]
        for (key, value) in values.sorted(by: { $0.key < $1.key }) {
            let parts = key.split(separator: ".", maxSplits: 1)
            guard parts.count == 2 else { preconditionFailure("a key is section.key, not \(key)") }
            sections[String(parts[0]), default: []].append("\(parts[1]) = \(value)")
        }
        return sections.sorted { $0.key < $1.key }.map { section, lines in
            "[\(section)]\n" + lines.joined(separator: "\n") + "\n"
        }.joined(separator: "\n")
    }

    /// As a TOML string.
    static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
