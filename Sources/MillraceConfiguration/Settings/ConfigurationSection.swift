/// One `[section]` of config.toml.
struct ConfigurationSection: Sendable {
    let name: String
    /// One line.
    let doc: String
    let keys: [ConfigurationKey]
    /// More that the shipped file says at the section's end, without the comment sign.
    var appendix: [String] = []

    /// The environment variable of `key`: `MILLRACE_` + section + key.
    func environmentName(of key: ConfigurationKey) -> String {
        "MILLRACE_\(name)_\(key.name)".uppercased()
    }

    /// As messages and `--set` name it.
    func fullName(of key: ConfigurationKey) -> String { "\(name).\(key.name)" }
}
