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

    package var configuration: DaemonConfiguration
    /// The file that was read; nil when there was none.
    package var file: String?
    /// Every key, in the order of config.toml.
    package var settings: [Setting]

    /// Where the value of `key` (`section.key`) came from.
    package func origin(of key: String) -> ConfigurationOrigin {
        settings.first { $0.key == key }?.origin ?? .builtIn
    }

    /// One line a key, with its origin behind it.
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
