import MillraceEvent
import Testing

@testable import MillraceCommands

/// Importing again.
struct ImportIdentityTests {
    private let recent = ImportRun.time(daysAgo: 3)

    private func line(_ record: String, kind: String = "templates", asOf: Timestamp = ImportRun.fileTime) throws
        -> ImportRun.Line
    {
        try #require(try ImportRun("x.json", "[\(record)]", kind: kind, asOf: asOf).lines.first)
    }

    @Test func `white space, the order of names and their spelling make no other event`() throws {
        let first = try line("{\"id\":1,\"user_id\":2,\"variables\":[1, 2],\"updated_at\":\"\(recent)\"}")
        let second = try line("{ \"updatedAt\":\"\(recent)\",\"variables\" : [1,2], \"userId\":\"2\",\n\"id\":1}")
        #expect(first.id == second.id)
        #expect(first.createdAt == second.createdAt)
    }

    @Test func `a changed record is another event, and a newer one`() throws {
        let first = try line("{\"id\":1,\"name\":\"a\",\"updated_at\":\"\(recent)\"}")
        let second = try line("{\"id\":1,\"name\":\"b\",\"updated_at\":\"\(ImportRun.time(daysAgo: 2))\"}")
        #expect(first.id != second.id)
        let (before, after) = (try #require(first.createdAt), try #require(second.createdAt))
        #expect(before < after)
    }

    @Test func `what can change and says no time of a change is of the file's time`() throws {
        let later = ImportRun.fileTime.advanced(by: .seconds(3600))
        let first = try line("{\"id\":1,\"name\":\"a\",\"created_at\":\"\(recent)\"}")
        let second = try line("{\"id\":1,\"name\":\"b\",\"created_at\":\"\(recent)\"}", asOf: later)
        #expect(first.createdAt == ImportRun.fileTime.rfc3339)
        #expect(second.createdAt == later.rfc3339)
    }

    @Test func `an id is a UUID of version 8, in which nobody reads a time`() throws {
        let text = try line("{\"id\":1,\"updated_at\":\"\(recent)\"}").id
        let id = try #require(text.flatMap { UniqueID($0) })
        #expect(id.high >> 12 & 15 == 8)
        #expect(id.low >> 62 == 2)
    }

    @Test func `what is too old is dated in the oldest month that is taken, in the order of its times`() throws {
        let run = try ImportRun(
            "messages.json",
            """
            [{"id":1,"workspace_id":1,"content":"a","created_at":"2019-01-01T00:00:00"},
             {"id":2,"workspace_id":1,"content":"b","created_at":"2021-01-01T00:00:00"},
             {"id":3,"workspace_id":1,"content":"c","created_at":"\(recent)"}]
            """)
        #expect(run.problems.isEmpty)
        #expect(run.report.moved == 2)
        let times = run.lines.compactMap(\.createdAt)
        #expect(times[0] == times[1] && times[1] < times[2])
        #expect(times[0].contains("-01T00:00:00.000000Z"))
        let ids = run.lines.compactMap(\.id)
        #expect(ids[0] < ids[1])
        #expect(run.lines[0].payload?.createdAt == "2019-01-01T00:00:00.000000Z")
        #expect(times[2] == recent)
    }

    @Test func `the id of what is too old has its time to the microsecond, whatever the clock says`() throws {
        func id(_ time: String, title: String = "a", days: Int = 396) throws -> UniqueID {
            let record = "[{\"id\":1,\"userId\":1,\"title\":\"\(title)\",\"updatedAt\":\"\(time)\"}]"
            let run = try ImportRun(
                "documents.json", record, system: .casework, limits: EventLimits(acceptPast: .seconds(86_400 * days)))
            return try #require(run.lines.first?.id.flatMap { UniqueID($0) })
        }
        let first = try id("2024-03-02T08:00:01.000001Z")
        let second = try id("2024-03-02T08:00:01.000002Z", title: "b")
        #expect((first.high, first.low) < (second.high, second.low))
        #expect(try id("2024-03-02T08:00:01.000001Z", days: 40) == first)
        #expect(try id("2024-03-02T08:00:01.000001Z", title: "b") != first)
        let time = try #require(DatedIdentity.microseconds(high: first.high, low: first.low))
        #expect(Timestamp(microseconds: time + Timestamp.postgresEpoch).rfc3339 == "2024-03-02T08:00:01.000001Z")
    }

    @Test func `of one time, events are in the order of their records' numbers, however old`() throws {
        for time in ["2024-03-02T08:00:01Z", recent] {
            let numbers = [1, 2, 9, 10, 2047, 2048, 4095, 4096, 70_000, 5_000_000]
            let records = numbers.shuffled().map { "{\"id\":\($0),\"userId\":1,\"updatedAt\":\"\(time)\"}" }
            let run = try ImportRun("documents.json", "[\(records.joined(separator: ","))]", system: .casework)
            let ordered = run.lines.sorted { ($0.id ?? "") < ($1.id ?? "") }
            #expect(ordered.compactMap { $0.payload?.id?.text } == numbers.map { "\($0)" }, "\(time)")
            #expect(Set(run.lines.compactMap(\.createdAt)).count == 1)
        }
    }

    @Test func `a tombstone comes after the state that it ends, however old both are`() throws {
        for time in ["0001-01-01T00:00:00Z", "2024-03-02T08:00:01Z", recent] {
            let run = try ImportRun(
                "documents.json", "[{\"id\":1,\"userId\":1,\"updatedAt\":\"\(time)\",\"deletedAt\":\"\(time)\"}]",
                system: .casework)
            try #require(run.lines.count == 2, "\(run.problems)")
            let (saved, deleted) = (run.lines[0], run.lines[1])
            let (savedAt, deletedAt) = (try #require(saved.createdAt), try #require(deleted.createdAt))
            let (savedID, deletedID) = (try #require(saved.id), try #require(deleted.id))
            #expect((savedAt, savedID) < (deletedAt, deletedID), "\(time)")
        }
    }

    @Test func `a conversation save or an event that is too old is bad, and never changed`() throws {
        let run = try ImportRun(
            "old.ndjson",
            """
            {"conversation_id":"c","user_id":"843d440a-a7a7-45ee-96df-3568c37384b9","question":"q","response":"r","timestamp":"2019-01-01T00:00:00Z"}
            {"event_type":"a","created_at":"2019-01-01T00:00:00Z"}
            """)
        #expect(run.lines.isEmpty)
        #expect(run.codes == ["created_at_out_of_range", "created_at_out_of_range"])
        #expect(run.problems.allSatisfy { $0.message.contains("partitions.accept_past") })
    }
}
