import MillraceEvent
import Testing

@Suite struct FieldSettingsTests {
    private static func error(_ change: (inout FieldsConfiguration) -> Void) -> String? {
        var configuration = FieldsConfiguration()
        change(&configuration)
        return configuration.flaw?.description
    }

    @Test(arguments: [
        ("email", "is no path"), ("payload", "is the whole of payload"), ("payload.", "empty name"),
        ("payload..a", "empty name"), (#"payload."a"#, "quote"), (#"payload."a"b"#, "quote"),
        ("question.a", "goes into a text"), ("metadata", "the whole of metadata"), (":payload.a", "no event type"),
        ("order:question", "is no path"), ("payload" + String(repeating: ".a", count: 32), "more than 32"),
    ])
    func `a path that is none is told why`(path: String, wanted: String) throws {
        let message = try #require(Self.error { $0.mask = [path] })
        #expect(message.hasPrefix("fields.mask: ") && message.contains(wanted), "\(message)")
    }

    @Test func `what goes together and what does not`() {
        #expect(Self.error { $0.encrypt = ["payload.a", "a:payload.b", "question", "response", "metadata.x"] } == nil)
        #expect(Self.error { $0.encrypt = [#"payload."a.b".c"#, #"payload."q""uote""#] } == nil)
        #expect(Self.error { ($0.encrypt, $0.drop) = (["a:payload.x"], ["b:payload.x"]) } == nil)
        for (change, wanted): ((inout FieldsConfiguration) -> Void, String) in [
            ({ $0.encrypt = ["payload.a", "payload.a"] }, "is there twice"),
            ({ ($0.encrypt, $0.drop) = (["payload.a"], ["payload.a.b"]) }, "overlap"),
            ({ ($0.encrypt, $0.drop) = (["payload.a"], ["order:payload.a"]) }, "overlap"),
            ({ $0.encrypt = ["payload.*.b", "payload.a"] }, "overlap"),
            ({ $0.index = ["payload.a"] }, "is not in fields.encrypt"),
            ({ ($0.encrypt, $0.index) = (["payload.a"], ["x:payload.a"]) }, "is not in fields.encrypt"),
            ({ ($0.encrypt, $0.index) = (["question"], ["question"]) }, "can't be searched"),
            ({ $0.drop = ["response"] }, "wanted of every save"),
            ({ $0.mask = ["question"] }, "tells one save from another"),
            ({ $0.drop = ["payload.millrace_index"] }, "blind index itself"),
        ] {
            let message = Self.error(change)
            #expect(message?.contains(wanted) == true, "\(message ?? "nothing") instead of \(wanted)")
        }
    }

    @Test func `at most 15 paths with a step for anything go together`() throws {
        _ = try FieldFixture { $0.encrypt = (0..<15).map { "payload.a\($0).*" } }
        #expect(throws: FieldsError.self) {
            try FieldFixture { $0.encrypt = (0..<16).map { "payload.a\($0).*" } }
        }
    }

    @Test(arguments: [
        ("encrypt a", "2 words"), ("seal a b", "unknown purpose"), ("encrypt A b", "bad id"),
        ("encrypt a SECRET", "32 bytes"), ("encrypt a !!!", "32 bytes"),
        ("hash a KEY\nhash b KEY", "line 2 is a second hash key"), ("encrypt a KEY\n#\nencrypt a KEY", "line 3"),
    ])
    func `a wrong file of keys is told by line, and without its keys`(text: String, wanted: String) throws {
        let error = try #require(throws: FieldsError.self) {
            try FieldKeys(text.replacing("KEY", with: FieldFixture.key(1)))
        }
        #expect(error.message.contains(wanted), "\(error)")
        #expect(!"\(error)".contains("SECRET") && !"\(error)".contains(FieldFixture.key(1)))
    }

    @Test func `keys are wanted for what is listed, and for nothing else`() throws {
        #expect(throws: FieldsError.self) {
            try FieldFixture(keys: "encrypt a \(FieldFixture.key(1))") { $0.encrypt = ["question"] }
        }
        #expect(throws: FieldsError.self) {
            try FieldFixture(keys: "encrypt a \(FieldFixture.key(1))") { $0.sha256 = ["payload.a"] }
        }
        var configuration = FieldsConfiguration()
        configuration.drop = ["payload.a"]
        #expect(try FieldTreatment.make(configuration, keys: nil) != nil)
        configuration.encrypt = ["payload.b"]
        #expect(throws: FieldsError.self) { try FieldTreatment.make(configuration, keys: nil) }
    }

    @Test func `a new key is one that can be used`() throws {
        let lines = FieldKeys.Purpose.allCases.map { FieldKeys.newLine($0, id: "2026-11") }
        let keys = try FieldKeys(lines.joined(separator: "\n"))
        #expect(FieldKeys.Purpose.allCases.allSatisfy { keys.ids($0) == ["2026-11"] })
        #expect(Set(lines.map { $0.split(separator: " ")[2] }).count == lines.count)
    }
}
