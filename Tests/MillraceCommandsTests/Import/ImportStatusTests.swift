import MillraceEvent
import Testing

@testable import MillraceCommands

/// What saves say of their status.
struct ImportStatusTests {
    private let recent = ImportRun.time(daysAgo: 3)
    private let later = ImportRun.time(daysAgo: 2)

    /// The events of one save that says `members`, as type and status.
    private func events(_ members: String) throws -> [String] {
        let save = """
            {"conversation_id":"c","user_id":"843d440a-a7a7-45ee-96df-3568c37384b9","question":"q \\u00e9","response":"r",
             "timestamp":"\(recent)"\(members.isEmpty ? "" : ",")\(members)}
            """
        let run = try ImportRun("conversations.json", "[\(save)]", system: .conversations)
        #expect(run.problems.isEmpty, "\(run.problems)")
        #expect(run.report.summary == "conversations 1, total 1")
        return run.lines.dropFirst().map { "\($0.eventType ?? "") \($0.payload?.status ?? "-") \($0.createdAt ?? "")" }
    }

    @Test func `every way of saying deleted, archived or active is understood`() throws {
        let file = ImportRun.fileTime.rfc3339
        for (members, expected) in [
            ("", nil), (#""status":null"#, nil), (#""updatedAt":"\#(later)""#, nil),
            (#""status":"active""#, "conversations.save_status_changed active \(file)"),
            (#""status":"Archived""#, "conversations.save_status_changed archived \(file)"),
            (#""status":"deleted""#, "conversations.save_deleted - \(file)"),
            (#""deleted_at":null"#, "conversations.save_status_changed active \(file)"),
            (#""deletedAt":"\#(later)""#, "conversations.save_deleted - \(later)"),
            (#""status":"active","deleted_at":"\#(later)""#, "conversations.save_deleted - \(later)"),
            (#""is_deleted":true,"updated_at":"\#(later)""#, "conversations.save_deleted - \(later)"),
            (#""isDeleted":1"#, "conversations.save_deleted - \(file)"),
            (#""deleted":false,"updated_at":"\#(later)""#, "conversations.save_status_changed active \(later)"),
            (#""is_archived":true"#, "conversations.save_status_changed archived \(file)"),
            (#""archived_at":"\#(later)""#, "conversations.save_status_changed archived \(later)"),
            (#""is_active":false"#, "conversations.save_status_changed inactive \(file)"),
        ] as [(String, String?)] {
            #expect(try events(members) == (expected.map { [$0] } ?? []), "\(members)")
        }
    }

    @Test func `the event is after its save, and names it by the id that the daemon gives it`() throws {
        let run = try ImportRun(
            "conversations.json",
            """
            [{"conversation_id":"c","user_id":"843d440a-a7a7-45ee-96df-3568c37384b9","question":"q \\u00e9","response":"r",
              "timestamp":"\(recent)","is_deleted":true,"deleted_at":"2020-01-01T00:00:00Z"}]
            """, system: .conversations)
        try #require(run.lines.count == 2, "\(run.problems)")
        let (time, saved) = (try #require(run.lines[1].createdAt), try #require(run.lines[0].timestamp))
        #expect(time > saved)
        let savedAt = try #require(Timestamp(rfc3339: recent))
        let id = Array("c".utf8).withUnsafeBytes { conversation in
            Array("q é".utf8).withUnsafeBytes {
                ConversationIdentity.id(tenant: 0, conversationID: conversation, createdAt: savedAt, question: $0)
            }
        }
        #expect(run.lines[1].payload?.id?.text == "\(id)")
        #expect(!run.texts[0].contains("is_deleted"))
    }

    @Test func `a status that is no word is bad`() throws {
        for member in [#""status":5"#, #""status":"""#, #""is_deleted":"maybe""#, #""deleted_at":"soon""#] {
            let save = """
                [{"conversation_id":"c","user_id":"843d440a-a7a7-45ee-96df-3568c37384b9","question":"q","response":"r",\(member)}]
                """
            let run = try ImportRun("conversations.json", save, system: .conversations)
            #expect(run.lines.isEmpty && run.problems.count == 1, "\(member)")
        }
    }

    @Test func `a record of a pack that says is_deleted ends after its state`() throws {
        let run = try ImportRun(
            "documents.json",
            "[{\"id\":1,\"userId\":1,\"isDeleted\":true,\"updatedAt\":\"\(recent)\"},{\"id\":2,\"userId\":1,\"isDeleted\":false}]",
            system: .casework)
        #expect(
            run.lines.map(\.eventType) == [
                "casework.document_saved", "casework.document_deleted", "casework.document_saved",
            ])
    }
}
