/// The text of the shipped config.toml: every key at its default, with what an operator needs to change it.
package enum ShippedConfiguration {
    /// Ends with a line ending.
    package static var text: String {
        let defaults = DaemonConfiguration()
        var lines = [
            "# Millrace's settings. This file holds the defaults: a line that is left out changes nothing.",
            "# The environment wins over this file (MILLRACE_ + section + key, such as MILLRACE_TCP_LISTEN; lists are",
            "# separated by commas; secrets also from a file, as MILLRACE_DATABASE_URL_FILE), and flags win over both",
            "# (--set tcp.listen=127.0.0.1:7171). `millrace check` shows what is in force, and from where.",
            "# Sizes: \"64KiB\", \"4MiB\", \"1GiB\" or bytes. Times: \"250ms\", \"10s\", \"5m\", \"24h\", \"30d\", \"13mo\" (of 31 days).",
            "# `millrace reload`, SIGHUP and `systemctl reload` apply what is Reloadable; the rest wants a restart.",
            "# Generated from the source; a test keeps it so.",
        ]
        for section in ConfigurationSchema.sections {
            lines += ["", "# \(section.doc)", "[\(section.name)]"]
            for (index, key) in section.keys.enumerated() {
                if index > 0 { lines.append("") }
                lines += comment(key).map { "# \($0)" }
                lines.append("\(key.name) = \(key.type.toml(key.read(defaults)))")
            }
            if !section.appendix.isEmpty { lines += [""] + section.appendix.map { "# \($0)" } }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func comment(_ key: ConfigurationKey) -> [String] {
        let facts = [
            key.unit.map { "In \($0)." }, key.type.range.map { "Range: \($0)." }, key.metric.map { "Watch \($0)." },
            key.isLive ? "Reloadable." : nil,
        ].compactMap { $0 }
        return [key.doc] + (facts.isEmpty ? [] : [facts.joined(separator: " ")])
    }
}
