import MillraceAccess
import MillraceEvent
import Testing

struct AccessKeyTests {
    @Test(arguments: [([AccessScope.write], "mr_w_"), ([.read], "mr_r_"), ([.write, .admin], "mr_a_")])
    func `a key can be read again, and says by its letter what it opens`(scopes: [AccessScope], prefix: String) throws {
        let made = AccessKey.make(scopes: Set(scopes))
        #expect(made.text.hasPrefix(prefix) && made.text.utf8.count == AccessKey.byteCount)
        #expect(AccessKey(made.text) == made.key)
        #expect(made.text.contains("_\(made.key.id)_"))
    }

    @Test func `a key with any character changed is none`() {
        let text = Array(AccessKey.make(scopes: [.write]).text)
        for position in text.indices {
            var other = text
            other[position] = text[position] == "0" ? "1" : "0"
            #expect(AccessKey(String(other)) == nil, "at \(position)")
        }
        #expect(AccessKey(String(text.dropLast())) == nil)
        #expect(AccessKey("") == nil)
    }

    @Test func `keys differ`() {
        #expect(Set((0..<1000).map { _ in AccessKey.make(scopes: [.read]).text }).count == 1000)
    }
}
