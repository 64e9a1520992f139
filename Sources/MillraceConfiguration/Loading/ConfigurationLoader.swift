internal import FoundationEssentials

/// Puts the configuration together: defaults, then config.toml, then systemd's credentials, then the environment, then
/// flags.
package enum ConfigurationLoader {
    /// Read where it exists and no other file is named.
    package static let defaultPath = "/etc/millrace/config.toml"

    /// - Parameters:
    ///   - file: From `--config`; nil takes `MILLRACE_CONFIG`, else `defaultPath` where it exists.
    ///   - environment: Of the process.
    ///   - overrides: Flags; the last of one key wins.
    ///   - isToListen: Whether what others would reach without TLS is an error, as it is to whoever listens.
    /// - Throws: `ConfigurationErrors`, with everything that is wrong.
    package static func load(
        file: String?, environment: [String: String], overrides: [ConfigurationOverride] = [],
        isToListen: Bool = true
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
        if let directory = environment[CredentialsDirectory.variable] {
            resolver.apply(credentials: CredentialsDirectory(directory))
        }
        resolver.apply(environment: environment)
        resolver.apply(overrides: overrides)
        return try resolver.finish(file: read, isToListen: isToListen)
    }
}

/// A value from the command line.
package struct ConfigurationOverride: Sendable {
    /// `section.key`.
    package var key: String
    /// As it was written; lists are separated by commas.
    package var value: String
    /// The flag that set it, as messages name it.
    package var flag: String

    package init(key: String, value: String, flag: String) {
        self.key = key
        self.value = value
        self.flag = flag
    }

    /// From the argument of `--set`: `section.key=value`. Nil where no name stands before an equals sign: messages name
    /// the key, and a connection string has equals signs too.
    package init?(assignment: String) {
        guard let equals = assignment.firstIndex(of: "="),
            assignment[..<equals].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
        else { return nil }
        key = String(assignment[..<equals])
        value = String(assignment[assignment.index(after: equals)...])
        flag = "--set \(key)"
    }
}

/// The configuration in force, and where each value came from.
package struct LoadedConfiguration: Sendable, CustomStringConvertible {
    /// One key, for a report.
    package struct Setting: Sendable, Equatable {
        /// `section.key`.
        package var key: String
        /// As TOML; a secret is `"***"`, a database's URL is without its password.
        package var value: String
        package var origin: ConfigurationOrigin
    }

    /// Checked, with every default in its place.
    package var configuration: DaemonConfiguration
    /// The file that was read; nil when there was none.
    package var file: String?
    /// Every key, in the order of config.toml.
    package var settings: [Setting]
    /// Files that hold secrets: those that were read for one, and config.toml where it has one itself.
    package var secretFiles: [String]

    /// Where the value of `key` (`section.key`) came from.
    package func origin(of key: String) -> ConfigurationOrigin {
        settings.first { $0.key == key }?.origin ?? .builtIn
    }

    /// One line for each key, its origin at the end.
    package var description: String {
        let assignments = settings.map { "\($0.key) = \($0.value)" }
        let width = min(72, assignments.map(\.count).max() ?? 0)
        return zip(assignments, settings)
            .map { assignment, setting in
                assignment + String(repeating: " ", count: max(0, width - assignment.count)) + "  # \(setting.origin)"
            }
            .joined(separator: "\n")
    }
}
