import FoundationEssentials
import MillraceAPI
import MillraceTelemetry
import Testing

@testable import MillraceConfiguration

/// One after the other: the first may write the file that the others read.
@Suite(.serialized)
struct ShippedConfigurationTests {
    private static let path = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 } + "/config.toml"

    @Test func `the shipped file is what the source says`() throws {
        if ProcessInfo.processInfo.environment["MILLRACE_UPDATE"] != nil {
            try Data(ShippedConfiguration.text.utf8).write(to: URL(filePath: Self.path))
        }
        let shipped = try String(decoding: Data(contentsOf: URL(filePath: Self.path)), as: UTF8.self)
        #expect(
            shipped == ShippedConfiguration.text, "run: MILLRACE_UPDATE=1 swift test --filter ShippedConfigurationTests"
        )
    }

    @Test func `the shipped file decodes to the defaults, and sets every key`() throws {
        let loaded = try ConfigurationLoader.load(file: Self.path, environment: [:])
        #expect(loaded.configuration == DaemonConfiguration())
        for setting in loaded.settings where setting.key != "jwt.keys" {
            guard case .file(Self.path, _) = setting.origin else {
                Issue.record("\(setting.key) is from \(setting.origin)")
                continue
            }
        }
    }

    @Test func `each line number points to its key`() throws {
        let lines = try String(decoding: Data(contentsOf: URL(filePath: Self.path)), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        for setting in try ConfigurationLoader.load(file: Self.path, environment: [:]).settings {
            guard case .file(_, let line) = setting.origin else { continue }
            let name = setting.key.drop { $0 != "." }.dropFirst()
            #expect(lines[line - 1].hasPrefix("\(name) = "))
        }
    }

    @Test func `every metric to watch exists`() {
        for section in ConfigurationSchema.sections {
            for key in section.keys {
                guard let metric = key.metric else { continue }
                #expect(MetricName(rawValue: metric) != nil, "\(section.fullName(of: key)) names \(metric)")
            }
        }
    }

    @Test func `every default is one that may be written`() {
        let defaults = DaemonConfiguration()
        for section in ConfigurationSchema.sections {
            for key in section.keys {
                let value = key.read(defaults)
                let text =
                    switch value {
                    case .list(let items): items.joined(separator: ",")
                    case .string(let string): string
                    default: key.type.toml(value).filter { $0 != "\"" }
                    }
                #expect(key.type.parse(.text(text)) == value, "\(section.fullName(of: key))")
            }
        }
    }

    @Test func `the example of a signing key is right`() throws {
        let example = ConfigurationSchema.jwt.appendix.dropFirst().filter { !$0.hasPrefix("secret") }
        let pem = "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"
        let fixture = try Fixture(["config.toml": example.joined(separator: "\n"), "main.pem": pem])
        #expect(
            try fixture.load().configuration.jwt.keys == [
                JWTKey(id: "main", algorithm: .es256, material: .publicKey(pem: pem))
            ])
    }
}
