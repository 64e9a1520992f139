import MillraceEvent
import MillracePostgres
import Testing

@testable import MillraceConfiguration

struct ConfigurationSchemaTests {
    /// A stored property of a struct that a stage goes by, as text.
    private struct Property {
        /// With its module.
        var owner: String
        var name: String
        var value: String
    }

    @Test func `each key is one property of one stage's struct, under the key's own name, and no property lacks a key`()
    {
        let defaults = Self.properties(of: DaemonConfiguration())
        var keys: [Int: String] = [:]
        for section in ConfigurationSchema.sections {
            for key in section.keys {
                let name = section.fullName(of: key)
                var configuration = DaemonConfiguration()
                key.write(Self.value(of: key.type, otherThan: key.read(configuration)), &configuration)
                let properties = Self.properties(of: configuration)
                let changed = properties.indices.filter { properties[$0].value != defaults[$0].value }
                guard changed.count == 1, let index = changed.first else {
                    Issue.record("\(name) is \(changed.map { "\(defaults[$0].owner).\(defaults[$0].name)" })")
                    continue
                }
                #expect(
                    defaults[index].name.lowercased() == key.name.filter { $0 != "_" },
                    "\(name) is \(defaults[index].owner).\(defaults[index].name)")
                #expect(keys.updateValue(name, forKey: index) == nil, "\(name) has the property of another key too")
            }
        }
        let keyless = defaults.indices.filter { keys[$0] == nil }.map { "\(defaults[$0].owner).\(defaults[$0].name)" }
        #expect(keyless == ["MillraceAPI.JWTConfiguration.keys"], "[[jwt.keys]] are tables")
    }

    @Test func `what stages take of several sections has the same defaults`() {
        let configuration = DaemonConfiguration()
        #expect(configuration.eventLimits == EventLimits())
        #expect(configuration.partitionOptions == PartitionOptions())
    }

    @Test func `a choice takes what the stage's own type has, and nothing else`() throws {
        var configuration = DaemonConfiguration()
        for name in ["partitions.payload_index", "partitions.retired", "log.level", "log.format"] {
            let key = try #require(ConfigurationSchema.key(name))
            guard case .choice(let values) = key.type else {
                Issue.record("\(name) is no choice")
                continue
            }
            for value in values {
                key.write(.string(value), &configuration)
                #expect(key.read(configuration) == .string(value))
            }
            #expect(key.type.parse(.text("other")) == nil)
        }
    }

    private static func properties(of configuration: DaemonConfiguration) -> [Property] {
        Mirror(reflecting: configuration).children.flatMap { section in
            Mirror(reflecting: section.value).children.map { property in
                Property(
                    owner: String(reflecting: type(of: section.value)), name: property.label ?? "",
                    value: (property.value as? Secret)?.value ?? String(reflecting: property.value))
            }
        }
    }

    private static func value(of type: ConfigurationType, otherThan value: ConfigurationValue) -> ConfigurationValue {
        switch (type, value) {
        case (_, .bool(let bool)): .bool(!bool)
        case (.integer(let range), .integer(let value)), (.bytes(let range), .integer(let value)):
            .integer(value == range.lowerBound ? range.upperBound : range.lowerBound)
        case (.duration(let range), .duration(let value)):
            .duration(value == range.lowerBound ? range.upperBound : range.lowerBound)
        case (.choice(let values), .string(let value)): .string(values.first { $0 != value } ?? "")
        case (_, .string(let string)): .string(string + "x")
        case (_, .list(let list)): .list(list + ["x"])
        default: value
        }
    }
}
