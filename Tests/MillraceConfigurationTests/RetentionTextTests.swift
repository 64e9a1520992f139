import MillraceArchive
import MillraceConfiguration
import MillracePostgres
import Testing

struct RetentionTextTests {
    @Test func `one duration is for all tables, and each may have its own`() {
        let year = Duration.seconds(12 * 31 * 86_400)
        #expect(RetentionText.parse("12mo")?.ages == [.analyticsEvents: year, .conversations: year])
        #expect(
            RetentionText.parse(" analytics_events = 12mo , conversations=1d")?.ages == [
                .analyticsEvents: year, .conversations: .seconds(86_400),
            ])
        #expect(RetentionText.parse("conversations=12mo")?.ages == [.conversations: year])
        #expect(RetentionText.parse("")?.ages == [:])
    }

    @Test(arguments: ["12", "1h", "events=12mo", "12mo,13mo", "conversations=1d,conversations=2d", "conversations="])
    func `anything else is refused`(text: String) {
        #expect(RetentionText.parse(text) == nil)
    }
}
