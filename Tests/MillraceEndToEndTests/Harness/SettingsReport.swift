import MillraceTestSupport

/// Every key there is and its default, as `millrace check` says them.
struct SettingsReport {
    /// Values without quotes and blanks: `16GiB`.
    let defaults: [String: String]

    private struct Report: Decodable {
        struct Setting: Decodable {
            var key: String
            var value: String
        }
        var settings: [Setting]
    }

    init() throws {
        let scratch = try ScratchDirectory()
        let file = scratch.path + "/config.toml"
        try TextFile.write("", to: file)
        // No server is there; what `check` finds wrong doesn't matter.
        let run = try CommandRun(
            ["check", "--all", "--json", "--config", file, "--set", "database.url=host=/nowhere"], in: scratch)
        let settings = try run.report(Report.self).settings
        defaults = Dictionary(uniqueKeysWithValues: settings.map { ($0.key, Self.plain($0.value)) })
    }

    /// Keys that `text` names and that don't exist, and keys with another default than `text` says in brackets after
    /// them, as in `tcp.idle_timeout` (1 h).
    func faults(in text: String) -> [String] {
        let sections = Set(defaults.keys.compactMap { $0.split(separator: ".").first }).subtracting(["projections"])
        var faults: [String] = []
        for match in text.matches(of: #/\b([a-z]+)\.([a-z][a-z0-9_]*)\b(?!\.)`?(?: \(([0-9][^),;]*))?/#)
        where sections.contains(match.output.1) {
            let key = "\(match.output.1).\(match.output.2)"
            guard let value = defaults[key] else {
                if !Self.endingsOfFiles.contains(String(match.output.2)), !Self.otherNames.contains(key) {
                    faults.append("\(key) is no key")
                }
                continue
            }
            guard let said = match.output.3, Self.inUnits(String(said)) != Self.inUnits(value) else { continue }
            faults.append("\(key) is \(value), not \(said)")
        }
        return faults
    }

    /// A table of tables, a file, actions of the audit log, what another database has, and types of events.
    private static let otherNames: Set = [
        "jwt.keys", "spool.id", "audit.purge", "backup.make", "backup.remove", "backup.restore", "auth.users",
        "auth.uid", "page.viewed", "page.left", "page.path", "log.trace", "log.debug", "log.info", "log.warn",
        "log.error", "log.fatal", "log.unspecified",
    ]
    private static let endingsOfFiles: Set = [
        "crt", "json", "ndjson", "hgrm", "hlog", "toml", "md", "socket", "swift", "timer",
    ]

    private static func plain(_ text: String) -> String { text.filter { $0 != "\"" && $0 != " " } }

    /// Durations in seconds, sizes in bytes, so that `1 hour` is `3600s`.
    private static func inUnits(_ text: String) -> String {
        let words = plain(text.replacing(",", with: ""))
        let units: KeyValuePairs = [
            "ms": 0.001, "seconds": 1, "second": 1, "s": 1, "minutes": 60, "min": 60, "m": 60, "hours": 3600,
            "hour": 3600, "h": 3600, "days": 86_400, "day": 86_400, "d": 86_400, "KiB": 1024, "MiB": 1_048_576,
            "GiB": 1_073_741_824,
        ]
        let number = words.prefix { $0.isNumber || $0 == "." }
        let unit = words.dropFirst(number.count)
        guard let count = Double(number) else { return words }
        return "\(count * (units.first { $0.key == unit }?.value ?? 1))"
    }
}
