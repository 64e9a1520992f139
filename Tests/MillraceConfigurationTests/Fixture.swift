import FoundationEssentials
import MillraceConfiguration

/// A directory of files that goes away with the value.
final class Fixture {
    let directory: String

    init(_ files: [String: String] = [:]) throws {
        directory = FileManager.default.temporaryDirectory.path + "/millrace-configuration-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: path(name))) }
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Loads config.toml of this directory.
    func load(
        environment: [String: String] = [:], overrides: [ConfigurationOverride] = []
    ) throws -> LoadedConfiguration {
        try ConfigurationLoader.load(file: path("config.toml"), environment: environment, overrides: overrides)
    }

    /// What is wrong with config.toml of this directory, with its path cut down to its name.
    func errors(environment: [String: String] = [:], overrides: [ConfigurationOverride] = []) -> [String] {
        do {
            _ = try load(environment: environment, overrides: overrides)
            return []
        } catch let errors as ConfigurationErrors {
            return errors.errors.map { "\($0)".replacing(directory + "/", with: "") }
        } catch {
            return ["\(error)"]
        }
    }
}

/// What is wrong with a config.toml of `text`.
func errors(_ text: String, environment: [String: String] = [:], set: [String] = []) throws -> [String] {
    let fixture = try Fixture(["config.toml": text])
    return fixture.errors(environment: environment, overrides: set.compactMap(ConfigurationOverride.init(assignment:)))
}

/// What a config.toml of `text` becomes.
func load(_ text: String, environment: [String: String] = [:], set: [String] = []) throws -> LoadedConfiguration {
    let fixture = try Fixture(["config.toml": text])
    return try fixture.load(
        environment: environment, overrides: set.compactMap(ConfigurationOverride.init(assignment:)))
}
