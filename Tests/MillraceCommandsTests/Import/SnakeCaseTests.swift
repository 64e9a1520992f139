import Testing

@testable import MillraceCommands

struct SnakeCaseTests {
    @Test(arguments: [
        ("userId", "user_id"), ("user_id", "user_id"), ("UserID", "user_id"), ("isHTML", "is_html"),
        ("isHtml", "is_html"),
        ("CartItems", "cart_items"), ("user-id", "user_id"), ("id", "id"), ("ID", "id"), ("", ""),
        ("élanVital", "élan_vital"),
    ])
    func `names as columns spell them`(name: String, column: String) {
        #expect(SnakeCase.from(name) == column)
    }
}
