internal import FoundationEssentials

/// Puts the configuration together: defaults, then config.toml, then the environment, then flags.
package enum ConfigurationLoader {
    /// Read where it exists and no other file is named.
    package static let defaultPath = "/etc/millrace/config.toml"

    /// - Parameters:
    ///   - file: From `--config`; nil takes `MILLRACE_CONFIG`, else `defaultPath` where it exists.
    ///   - environment: Of the process.
    ///   - overrides: Flags; the last of one key wins.
    /// - Throws: `ConfigurationErrors`, with everything that is wrong.
    package static func load(
        file: String?, environment: [String: String], overrides: [ConfigurationOverride] = []
    ) throws -> LoadedConfiguration {
        // Empty is how a compose file spells "not set".
        let environment = environment.filter { !$0.value.isEmpty }
        let named = file ?? environment["MILLRACE_CONFIG"]
        var resolver = ConfigurationResolver()
        var read: String?
        if named != nil || FileManager.default.fileExists(atPath: defaultPath) {
            let path = named ?? defaultPath
            if let text = TextFile.read(path) {
                resolver.apply(toml: text, path: path)
                read = path
            } else {
                let message = "cannot be read: \(TextFile.reason); name a file that exists with --config"
                resolver.report(.unreadableFile, .file(path: path, line: 1), key: nil, message)
            }
        }
        resolver.apply(environment: environment)
        resolver.apply(overrides: overrides)
        return try resolver.finish(file: read)
    }
}
