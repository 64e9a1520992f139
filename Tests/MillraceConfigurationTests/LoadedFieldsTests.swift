import MillraceEvent
import Testing

@testable import MillraceConfiguration

struct LoadedFieldsTests {
    @Test func `a wrong path is told with its file and line`() throws {
        let fixture = try Fixture(["config.toml": "[fields]\nkeys_file = \"k\"\nmask = [\"email\"]\n"])
        let errors = fixture.errors()
        #expect(
            errors.count == 1 && errors[0].contains("config.toml:3") && errors[0].contains("is no path"), "\(errors)")
    }

    @Test func `keys come from the file, which counts as a secret`() throws {
        let line = FieldKeys.newLine(.encrypt, id: "k1")
        let fixture = try Fixture(["config.toml": "", "keys": line + "\n" + FieldKeys.newLine(.encrypt, id: "k0")])
        let loaded = try fixture.load(
            environment: [
                "MILLRACE_FIELDS_KEYS_FILE": fixture.path("keys"), "MILLRACE_FIELDS_ENCRYPT": "payload.a, x:payload.b",
            ])
        #expect(loaded.secretFiles.contains(fixture.path("keys")))
        let fields = try LoadedFields(loaded.configuration.fields)
        #expect(fields.summary == "encrypts with key k1, opens k0 too")
        #expect(fields.treatment != nil)
        let secret = try #require(line.split(separator: " ").last)
        #expect(!loaded.description.contains(secret) && !"\(fields)".contains(secret))
        #expect(throws: FieldsError.self) {
            var configuration = loaded.configuration.fields
            configuration.keysFile = fixture.path("none")
            return try LoadedFields(configuration)
        }
    }
}
