internal import MillraceAPI

/// What a changed configuration would change in a running daemon, by key.
package struct ConfigurationDifference: Sendable {
    package struct Change: Sendable, Equatable {
        /// `section.key`.
        package var key: String
        /// As TOML, fit to be shown: a secret is `"***"`, a connection string is without its password.
        package var old: String
        package var new: String
        /// Of the new value.
        package var origin: ConfigurationOrigin
    }

    /// In force with `configuration`.
    package var applied: [Change] = []
    /// In force after a restart.
    package var delayed: [Change] = []
    package var unchangedCount = 0
    /// The running one with all that a reload may change.
    package var configuration: DaemonConfiguration
}

extension LoadedConfiguration {
    /// Compares it with what runs. Throws where the new values that a reload applies don't go with old ones that want a
    /// restart.
    package func difference(from running: DaemonConfiguration) throws(ConfigurationErrors) -> ConfigurationDifference {
        var difference = ConfigurationDifference(configuration: running)
        for section in ConfigurationSchema.sections {
            for key in section.keys {
                let value = key.read(configuration)
                guard value != key.read(running) else {
                    difference.unchangedCount += 1
                    continue
                }
                let name = section.fullName(of: key)
                let change = ConfigurationDifference.Change(
                    key: name, old: key.shown(running), new: key.shown(configuration), origin: origin(of: name))
                if key.isLive {
                    key.write(value, &difference.configuration)
                    difference.applied.append(change)
                } else {
                    difference.delayed.append(change)
                }
            }
        }
        if configuration.jwt.keys != running.jwt.keys {
            difference.configuration.jwt.keys = configuration.jwt.keys
            difference.applied.append(
                ConfigurationDifference.Change(
                    key: "jwt.keys", old: running.jwt.shownKeys, new: configuration.jwt.shownKeys,
                    origin: origin(of: "jwt.keys")))
        } else {
            difference.unchangedCount += 1
        }
        let errors = ConfigurationChecks.errors(
            in: difference.configuration, origin: origin, isToListen: true)
        guard errors.isEmpty else {
            let names = difference.delayed.map(\.key).joined(separator: ", ")
            throw ConfigurationErrors(
                errors: errors.map { error in
                    var error = error
                    error.message += "; that is with the running daemon's values of what wants a restart: \(names)"
                    return error
                })
        }
        return difference
    }
}

extension JWTConfiguration {
    /// `[[jwt.keys]]` without what they hold.
    var shownKeys: String {
        "[" + keys.map { "\"\($0.id):\($0.algorithm.rawValue)\"" }.joined(separator: ", ") + "]"
    }
}
