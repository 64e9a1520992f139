import MillraceTestSupport

extension DaemonProcess {
    /// Changes keys of its config.toml, `section.key`, to other values; TOML. Those that are not there come in.
    func change(_ settings: [String: String]) throws {
        var lines = TextFile.read(configuration).split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init)
        for (key, value) in settings.sorted(by: { $0.key < $1.key }) {
            let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
            if !lines.contains("[\(parts[0])]") { lines += ["[\(parts[0])]"] }
            guard let start = lines.firstIndex(of: "[\(parts[0])]") else { continue }
            let end = lines[(start + 1)...].firstIndex { $0.hasPrefix("[") } ?? lines.endIndex
            lines.replaceSubrange(
                (start + 1)..<end,
                with: lines[(start + 1)..<end].filter { !$0.hasPrefix("\(parts[1]) =") } + ["\(parts[1]) = \(value)"])
        }
        try TextFile.write(lines.joined(separator: "\n") + "\n", to: configuration)
    }

    /// Where a key stands in its config.toml: `file:line`.
    func place(of key: String) -> String {
        let lines = TextFile.read(configuration).split(separator: "\n", omittingEmptySubsequences: false)
        let parts = key.split(separator: ".", maxSplits: 1).map(String.init)
        let section = lines.firstIndex { $0 == "[\(parts[0])]" } ?? 0
        let line = lines[section...].firstIndex { $0.hasPrefix("\(parts[1]) =") } ?? 0
        return "\(configuration):\(line + 1)"
    }
}
