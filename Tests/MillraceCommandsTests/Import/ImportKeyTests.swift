import MillraceEvent
import Testing

@testable import MillraceCommands
@testable import MillraceConsole

/// Records by their ids, and ids that are UUIDs.
struct ImportKeyTests {
    private let ada = "843d440a-a7a7-45ee-96df-3568c37384b9"
    private let bob = "0192b1a4-7c3e-4a51-9f0e-2d6c1b8e4f70"

    @Test func `named objects hold records by their ids`() throws {
        let run = try ImportRun(
            "export.json",
            """
            {"version": 2, "users": {"1": {"username": "ada"}, "2": {"id": 7, "username": "bob"}, "3": {"id": null}},
             "workspaces": {"5": {"userId": 1, "title": "W", "messages": [{"content": "hi"}]}}, "templates": {}}
            """)
        #expect(run.problems.isEmpty, "\(run.problems)")
        #expect(run.report.summary == "users 3, workspaces 1, messages 1, total 5")
        #expect(run.lines.compactMap { $0.payload?.id?.text } == ["1", "7", "3", "5"])
        #expect(run.lines.last?.payload?.workspaceId == "5")
    }

    @Test func `an object of records alone is known by its name and its ids`() throws {
        let run = try ImportRun(
            "users.json", "{\"\(ada)\": {\"username\": \"ada\"}, \"2\": {\"username\": \"bob\"}}", system: .workspaces)
        #expect(run.problems.isEmpty, "\(run.problems)")
        #expect(run.accepted == ["users": 2])
        // A single record stays one.
        let single = try ImportRun("users.json", #"{"preferences": {"a": 1}, "id": 4}"#, system: .workspaces)
        #expect(single.lines.compactMap { $0.payload?.id?.text } == ["4"])
    }

    @Test func `what is no record among them is bad, and the others go in`() throws {
        let run = try ImportRun(
            "e.json", #"{"users": {"1": {"username": "a"}, "2": 5, "3": {"username": "c"}}, "templates": {}}"#,
            system: .workspaces)
        #expect(run.accepted == ["users": 2])
        #expect(run.codes == ["not_an_object"])
        #expect(run.problems.first?.index == 1)
        let broken = try ImportRun("e.json", #"{"templates": {"1": {"name": "a"}, "2" {"#)
        #expect(broken.accepted == ["templates": 1])
        #expect(broken.codes == ["invalid_json"])
    }

    @Test func `a save by the id of its conversation`() throws {
        let save = #"{"user_id": "\#(ada)", "question": "q", "response": "r"}"#
        let run = try ImportRun("conversations.json", #"{"conversations": {"c-1": \#(save)}, "feedback": []}"#)
        #expect(run.problems.isEmpty, "\(run.problems)")
        #expect(run.lines.map(\.conversationId) == ["c-1"])
    }

    @Test func `a UUID becomes the same number wherever it stands, and is kept`() throws {
        let run = try ImportRun(
            "export.json",
            """
            {"users": [{"id": "\(ada)", "username": "ada"}],
             "workspaces": [{"id": "\(bob)", "userId": "\(ada)", "title": "W", "messages": [{"content": "hi"}]},
                            {"id": "\(ada)", "userId": "\(ada)", "title": "X", "source_id": "mail-1"}]}
            """)
        #expect(run.problems.isEmpty, "\(run.problems)")
        let number = try #require(run.lines[0].payload?.id?.text)
        #expect(Int64(number).map { $0 >= 1 << 62 } == true)
        #expect(run.lines[1].payload?.userId?.text == number)
        #expect(run.lines[2].payload?.workspaceId == run.lines[1].payload?.id)
        #expect(run.texts[0].contains("\"source_id\":\"\(ada)\""))
        #expect(run.texts[3].contains("\"source_id\":\"mail-1\""))
        #expect(run.report.derivedIds == 3)
        let again = try ImportRun("users.json", "[{\"id\": \"\(ada.uppercased())\"}]", system: .workspaces)
        #expect(again.lines[0].payload?.id?.text == number)
    }

    @Test func `two UUIDs of one number are found`() throws {
        let translator = RecordTranslator(
            limits: EventLimits(), lineBytesMax: 1 << 20, numbers: SourceNumbers { _ in 1 << 62 })
        let kind = try #require(ImportKind.named("users").first { $0.system == .workspaces })
        func translate(_ id: String) -> RecordTranslator.Result {
            translator.translate(
                Array("{\"id\":\"\(id)\"}".utf8)[...], kind: kind, key: nil, fileTime: .now, now: .now)
        }
        #expect(translate(ada).refusals.isEmpty)
        #expect(translate(ada).refusals.isEmpty)
        #expect(translate(bob).refusals.map(\.refusal.code) == ["id_collision"])
    }
}
