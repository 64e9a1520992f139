internal import MillraceAPI
internal import MillraceEvent
internal import MillraceTOML
internal import MillraceWriter
internal import TOMLKit

/// Applies one source after the other, and collects what is wrong on the way.
struct ConfigurationResolver {
    private(set) var configuration = DaemonConfiguration()
    /// By `section.key`; those not set are at their default.
    private var origins: [String: ConfigurationOrigin] = [:]
    private var errors: [ConfigurationError] = []
    /// Files that a secret came from.
    private var secretFiles: Set<String> = []

    mutating func report(
        _ code: ConfigurationError.Code, _ origin: ConfigurationOrigin, key: String?, _ message: String
    ) {
        errors.append(ConfigurationError(code: code, origin: origin, key: key, message: message))
    }

    /// Where `key` got its value.
    func origin(of key: String) -> ConfigurationOrigin { origins[key] ?? .builtIn }

    /// Checks combinations, and throws all that was wrong.
    mutating func finish(file: String?, isToListen: Bool) throws(ConfigurationErrors) -> LoadedConfiguration {
        if errors.isEmpty {
            errors = ConfigurationChecks.errors(in: configuration, origin: origin, isToListen: isToListen)
        }
        guard errors.isEmpty else { throw ConfigurationErrors(errors: errors) }
        if !configuration.fields.keysFile.isEmpty { secretFiles.insert(configuration.fields.keysFile) }
        let settings = ConfigurationSchema.sections.flatMap { section in
            section.keys.map { key in
                let name = section.fullName(of: key)
                return LoadedConfiguration.Setting(
                    key: name, value: key.shown(configuration), origin: origin(of: name))
            } + (section.name == "jwt" ? [jwtKeysSetting] : [])
        }
        return LoadedConfiguration(
            configuration: configuration, file: file, settings: settings, secretFiles: secretFiles.sorted())
    }

    private var jwtKeysSetting: LoadedConfiguration.Setting {
        LoadedConfiguration.Setting(
            key: "jwt.keys", value: configuration.jwt.shownKeys, origin: origin(of: "jwt.keys"))
    }

    private mutating func set(
        _ key: ConfigurationKey, named name: String, to written: WrittenValue, from origin: ConfigurationOrigin
    ) {
        guard let value = key.type.parse(written) else {
            let found = key.secrecy == .open ? written.found : written.foundKind
            report(.invalidValue, origin, key: name, "\(name) is \(found); wanted: \(key.type.wanted)")
            return
        }
        key.write(value, &configuration)
        origins[name] = origin
        if case .file(let path, _) = origin, key.holdsSecret(configuration) { secretFiles.insert(path) }
    }
}

// MARK: - config.toml

extension ConfigurationResolver {
    mutating func apply(toml text: String, path: String) {
        let table: TOMLTable
        if let nul = text.utf8.firstIndex(of: 0) {
            // The parser takes a C string: it would not see what follows.
            let line = text.utf8[..<nul].count { $0 == UInt8(ascii: "\n") } + 1
            return report(.invalidSyntax, .file(path: path, line: line), key: nil, "is no TOML: it holds a NUL byte")
        }
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            let place = ConfigurationOrigin.file(path: path, line: error.source.begin.line)
            return report(.invalidSyntax, place, key: nil, "is no TOML: \(error.description)")
        } catch {
            return report(.invalidSyntax, .file(path: path, line: 1), key: nil, "is no TOML: \(error)")
        }
        let lines = TOMLLines(text)
        let found = table.keys.map { (name: $0, line: lines.line(of: [$0])) }.sorted { $0.line < $1.line }
        let before = errors.count
        for (name, line) in found {
            guard let value = table[name] else { continue }
            apply(section: name, value, .file(path: path, line: line), path: path, lines: lines)
        }
        errors[before...].sort { Self.line($0) < Self.line($1) }
    }

    private mutating func apply(
        section name: String, _ value: any TOMLValueConvertible, _ origin: ConfigurationOrigin, path: String,
        lines: TOMLLines
    ) {
        guard let section = ConfigurationSchema.section(name) else {
            return reportUnknown(top: name, isTable: value.table != nil, origin)
        }
        guard let table = value.table else {
            let found = WrittenValue(value).found
            return report(.invalidValue, origin, key: name, "\(name) is \(found); wanted: a section [\(name)]")
        }
        for key in table.keys {
            guard let value = table[key] else { continue }
            let origin = ConfigurationOrigin.file(path: path, line: lines.line(of: [name, key]))
            if name == "jwt", key == "keys" {
                applyJWTKeys(value, origin, path: path, lines: lines)
            } else if let known = section.keys.first(where: { $0.name == key }) {
                set(known, named: "\(name).\(key)", to: WrittenValue(value), from: origin)
            } else {
                reportUnknown(key: key, in: name, origin)
            }
        }
    }

    private mutating func applyJWTKeys(
        _ value: any TOMLValueConvertible, _ origin: ConfigurationOrigin, path: String, lines: TOMLLines
    ) {
        guard let array = value.array, array.allSatisfy({ $0.table != nil }) else {
            let found = WrittenValue(value).found
            return report(.invalidValue, origin, key: "jwt.keys", "jwt.keys is \(found); wanted: [[jwt.keys]] tables")
        }
        var reader = JWTKeyReader(path: path, lines: lines)
        configuration.jwt.keys = array.enumerated().compactMap { index, item in
            item.table.flatMap { reader.read($0, index: index) }
        }
        origins["jwt.keys"] = origin
        errors += reader.errors
        secretFiles.formUnion(reader.secretFiles)
    }

    private mutating func reportUnknown(key: String, in section: String, _ origin: ConfigurationOrigin) {
        let nearest = ConfigurationSchema.nearestKey(to: key, in: section)
        report(
            .unknownKey, origin, key: "\(section).\(key)",
            "\(section).\(key) is unknown; the nearest known key is \(nearest)")
    }

    private mutating func reportUnknown(top name: String, isTable: Bool, _ origin: ConfigurationOrigin) {
        if isTable {
            let nearest = EditDistance.nearest(to: name, among: ConfigurationSchema.sections) { $0.name }?.name ?? ""
            report(
                .unknownSection, origin, key: name, "[\(name)] is unknown; the nearest known section is [\(nearest)]")
        } else {
            let nearest = ConfigurationSchema.nearestKey(to: name, in: "")
            report(
                .unknownKey, origin, key: name,
                "\(name) is unknown, and stands before any section; the nearest known key is \(nearest)")
        }
    }

    private static func line(_ error: ConfigurationError) -> Int {
        if case .file(_, let line) = error.origin { line } else { Int.max }
    }
}

// MARK: - credentials, environment and flags

extension ConfigurationResolver {
    mutating func apply(credentials: CredentialsDirectory) {
        for (section, key) in CredentialsDirectory.keys {
            let name = section.fullName(of: key)
            let file = credentials.file(of: name)
            let origin = ConfigurationOrigin.credential(CredentialsDirectory.name(of: name))
            guard TextFile.exists(file) else { continue }
            if CredentialsDirectory.isFile(name) {
                set(key, named: name, to: .text(file), from: origin)
            } else {
                set(key, named: name, toContentsOf: file, from: origin)
            }
        }
    }

    private mutating func set(
        _ key: ConfigurationKey, named name: String, toContentsOf file: String, from origin: ConfigurationOrigin
    ) {
        guard let text = TextFile.read(file) else {
            return report(.unreadableFile, origin, key: name, "\(file) cannot be read: \(TextFile.reason)")
        }
        set(key, named: name, to: .text(text.trimmed), from: origin)
        secretFiles.insert(file)
    }

    mutating func apply(environment: [String: String]) {
        for (variable, name) in ConfigurationSchema.environmentAliases {
            guard let key = ConfigurationSchema.key(name) else { continue }
            apply(variable, to: key, named: name, in: environment)
        }
        var known: Set<String> = []
        for section in ConfigurationSchema.sections {
            for key in section.keys {
                let variable = section.environmentName(of: key)
                known.insert(variable)
                if key.secrecy != .open { known.insert(variable + "_FILE") }
                apply(variable, to: key, named: section.fullName(of: key), in: environment)
            }
        }
        for variable in environment.keys.sorted() where !known.contains(variable) {
            reportUnknown(variable: variable, known: known)
        }
        applyDatabasePlace(environment)
    }

    /// Where libpq's own variables say the place of the database and nothing else does, the default must not win: neither the
    /// built-in one nor the same as the shipped file writes it.
    private mutating func applyDatabasePlace(_ environment: [String: String]) {
        func first(_ variables: [String]) -> String? { variables.first { environment[$0] != nil } }
        let server = first(["PGSERVICE", "PGHOST", "PGHOSTADDR"])
        let database = first(["PGSERVICE", "PGDATABASE"])
        guard configuration.database.url == DatabaseConfiguration().url,
            let variable = server ?? database ?? first(["PGPORT"])
        else { return }
        configuration.database.url = DatabaseConfiguration.local(
            database: database == nil ? "millrace" : "", hasSocket: server == nil)
        origins["database.url"] = .environment(variable)
    }

    private mutating func apply(
        _ variable: String, to key: ConfigurationKey, named name: String, in environment: [String: String]
    ) {
        let file = key.secrecy == .open ? nil : environment[variable + "_FILE"]
        if let file {
            let origin = ConfigurationOrigin.environment(variable + "_FILE")
            if environment[variable] != nil {
                report(
                    .impossibleCombination, origin, key: name, "\(variable) is set too; set one of the two, not both")
            } else {
                set(key, named: name, toContentsOf: file, from: origin)
            }
        } else if let text = environment[variable] {
            set(key, named: name, to: .text(text), from: .environment(variable))
        }
    }

    /// Only within a section's own prefix, since `MILLRACE_…` has other uses too.
    private mutating func reportUnknown(variable: String, known: Set<String>) {
        guard ConfigurationSchema.sections.contains(where: { variable.hasPrefix("MILLRACE_\($0.name.uppercased())_") })
        else { return }
        let nearest = EditDistance.nearest(to: variable, among: known.sorted()) { $0 } ?? ""
        report(
            .unknownKey, .environment(variable), key: nil,
            "is unknown; the nearest known variable is \(nearest)")
    }

    mutating func apply(overrides: [ConfigurationOverride]) {
        for override in overrides {
            let origin = ConfigurationOrigin.flag(override.flag)
            guard let key = ConfigurationSchema.key(override.key) else {
                let parts = override.key.split(separator: ".", maxSplits: 1).map(String.init)
                let nearest = ConfigurationSchema.nearestKey(
                    to: parts.last ?? "", in: parts.count == 2 ? parts[0] : "")
                report(
                    .unknownKey, origin, key: override.key,
                    "\(override.key) is unknown; the nearest known key is \(nearest)")
                continue
            }
            set(key, named: override.key, to: .text(override.value), from: origin)
        }
    }
}
