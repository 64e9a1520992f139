internal import MillracePostgres

/// One key of config.toml: its name, what it may hold, what it means, and where its value goes.
struct ConfigurationKey: Sendable {
    typealias Path<Value> = any WritableKeyPath<DaemonConfiguration, Value> & Sendable

    enum Secrecy {
        case open
        /// Its passwords are secret.
        case connectionString
        case hidden
    }

    let name: String
    let type: ConfigurationType
    /// One line: what it does, and the meaning of a special value.
    let doc: String
    /// Only where the type doesn't tell, such as "bytes a second".
    let unit: String?
    /// The metric that shows whether the value fits.
    let metric: String?
    let secrecy: Secrecy
    /// A reload applies it; else a change of it wants a restart.
    private(set) var isLive = false
    let read: @Sendable (DaemonConfiguration) -> ConfigurationValue
    /// Ignores a value of another type than `type` makes.
    let write: @Sendable (ConfigurationValue, inout DaemonConfiguration) -> Void

    /// The same key, whose changes a reload applies.
    var live: Self {
        var key = self
        key.isLive = true
        return key
    }

    static func bool(_ name: String, _ path: Path<Bool>, _ doc: String, watch metric: String? = nil) -> Self {
        Self(name: name, type: .bool, doc: doc, unit: nil, metric: metric, secrecy: .open) {
            .bool($0[keyPath: path])
        } write: { value, configuration in
            if case .bool(let bool) = value { configuration[keyPath: path] = bool }
        }
    }

    static func integer(
        _ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>, unit: String? = nil, _ doc: String,
        watch metric: String? = nil
    ) -> Self {
        number(name, path, .integer(range), unit: unit, doc, metric)
    }

    static func bytes(
        _ name: String, _ path: Path<Int>, _ range: ClosedRange<Int>, unit: String? = nil, _ doc: String,
        watch metric: String? = nil
    ) -> Self {
        number(name, path, .bytes(range), unit: unit, doc, metric)
    }

    private static func number(
        _ name: String, _ path: Path<Int>, _ type: ConfigurationType, unit: String?, _ doc: String, _ metric: String?
    ) -> Self {
        Self(name: name, type: type, doc: doc, unit: unit, metric: metric, secrecy: .open) {
            .integer($0[keyPath: path])
        } write: { value, configuration in
            if case .integer(let integer) = value { configuration[keyPath: path] = integer }
        }
    }

    static func duration(
        _ name: String, _ path: Path<Duration>, _ range: ClosedRange<Duration>, _ doc: String,
        watch metric: String? = nil
    ) -> Self {
        Self(name: name, type: .duration(range), doc: doc, unit: nil, metric: metric, secrecy: .open) {
            .duration($0[keyPath: path])
        } write: { value, configuration in
            if case .duration(let duration) = value { configuration[keyPath: path] = duration }
        }
    }

    static func string(
        _ name: String, _ path: Path<String>, _ doc: String, watch metric: String? = nil
    ) -> Self {
        Self(name: name, type: .string, doc: doc, unit: nil, metric: metric, secrecy: .open) {
            .string($0[keyPath: path])
        } write: { value, configuration in
            if case .string(let string) = value { configuration[keyPath: path] = string }
        }
    }

    static func secret(
        _ name: String, _ path: Path<Secret>, _ secrecy: Secrecy, _ doc: String, watch metric: String? = nil
    ) -> Self {
        Self(name: name, type: .string, doc: doc, unit: nil, metric: metric, secrecy: secrecy) {
            .string($0[keyPath: path].value)
        } write: { value, configuration in
            if case .string(let string) = value { configuration[keyPath: path] = Secret(string) }
        }
    }

    /// Of several servers, each with its passwords.
    static func connectionStrings(
        _ name: String, _ path: Path<[Secret]>, _ doc: String, watch metric: String? = nil
    ) -> Self {
        Self(name: name, type: .strings, doc: doc, unit: nil, metric: metric, secrecy: .connectionString) {
            ConfigurationType.single($0[keyPath: path].map(\.value))
        } write: { value, configuration in
            configuration[keyPath: path] = value.strings.filter { !$0.isEmpty }.map { Secret($0) }
        }
    }

    static func list(_ name: String, _ path: Path<[String]>, _ doc: String, watch metric: String? = nil) -> Self {
        Self(name: name, type: .list, doc: doc, unit: nil, metric: metric, secrecy: .open) {
            .list($0[keyPath: path])
        } write: { value, configuration in
            if case .list(let list) = value { configuration[keyPath: path] = list }
        }
    }

    static func choice<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String, _ path: Path<Choice>, _ doc: String, watch metric: String? = nil
    ) -> Self {
        let values = Choice.allCases.map(\.rawValue)
        return Self(name: name, type: .choice(values), doc: doc, unit: nil, metric: metric, secrecy: .open) {
            .string($0[keyPath: path].rawValue)
        } write: { value, configuration in
            if case .string(let string) = value, let choice = Choice(rawValue: string) {
                configuration[keyPath: path] = choice
            }
        }
    }

    /// Whether the value in `configuration` has something in it that nobody may see.
    func holdsSecret(_ configuration: DaemonConfiguration) -> Bool {
        read(configuration).strings.contains { string in
            switch secrecy {
            case .open: false
            case .connectionString: ConnectionString(string).shown != string
            case .hidden: !string.isEmpty
            }
        }
    }

    /// The value in `configuration` as TOML, fit to be shown.
    func shown(_ configuration: DaemonConfiguration) -> String {
        let value = read(configuration)
        guard secrecy != .open, !value.strings.allSatisfy(\.isEmpty) else { return type.toml(value) }
        return type.toml(
            ConfigurationType.single(
                value.strings.map { secrecy == .hidden ? "***" : ConnectionString($0).shown }))
    }
}

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
