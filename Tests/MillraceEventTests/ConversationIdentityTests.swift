import MillraceEvent
import Testing

@Suite struct ConversationIdentityTests {
    private static func save(_ conversation: String, _ question: String, _ microseconds: Int64) -> ConversationSave {
        ConversationSave(
            conversationID: conversation, userID: UniqueID(high: 1, low: 2), question: question, response: "r",
            source: "s", metadata: "{}", createdAt: Timestamp(microseconds: microseconds))
    }

    @Test func `the same save has the same id, whatever else it carries`() {
        var other = Self.save("c", "q", 1_795_176_000_123_456)
        other.response = "another"
        other.userID = UniqueID(high: 3, low: 4)
        #expect(Self.save("c", "q", 1_795_176_000_123_456).id(tenant: 0) == other.id(tenant: 0))
    }

    @Test func `the id is a UUIDv7 of the save's millisecond`() {
        let id = Self.save("c", "q", 1_795_176_000_123_456).id(tenant: 0)
        #expect(id.high >> 16 == 1_795_176_000_123)
        #expect(id.high >> 12 & 0xF == 7 && id.low >> 62 == 2)
        #expect(Self.save("c", "q", -1).id(tenant: 0).high >> 16 == 0xFFFF_FFFF_FFFF)
    }

    @Test func `tenant, conversation, time and question each change the id`() {
        let ids = [
            Self.save("c", "q", 1000).id(tenant: 0), Self.save("c", "q", 1000).id(tenant: 1),
            Self.save("d", "q", 1000).id(tenant: 0), Self.save("c", "q", 1001).id(tenant: 0),
            Self.save("c", "p", 1000).id(tenant: 0), Self.save("cq", "", 1000).id(tenant: 0),
            Self.save("", "cq", 1000).id(tenant: 0),
        ]
        #expect(Set(ids).count == ids.count)
    }

    @Test func `the id stays what it was in earlier versions`() {
        let id = Self.save("conv-1", "Why?", 1_795_176_000_123_456).id(tenant: 7)
        #expect(id.description == "01a1f8d3-ea7b-7101-b407-9b785ca9059e")
    }
}
